package pipeline

import (
	"context"
	"fmt"
	"io/fs"
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model"
	"taca/internal/model/nn"
	"taca/internal/sampler"
	"taca/internal/tensor"
	"taca/internal/tokenizer"
)

// family is what differs between FLUX and SD3.5, and nothing else.
type family interface {
	// encoders are the prompt's readers, in the order assemble wants them.
	encoders() []textEncoder
	// assemble makes the denoiser's conditioning of what the encoders said;
	// maxLength is the request's number of T5 tokens.
	assemble(parts []encoded, maxLength int) Text
	// textRow is the row of assemble's tokens where those of the i-th encoder
	// begin; false where they have no rows of their own.
	textRow(encoder int) (row int, ok bool)
	// agrees holds the widths of what the encoders give against what the
	// transformer takes; nil where they are one model.
	agrees() error
	// geometry is the transformer's, without the VAE's downscale.
	geometry() model.Geometry
	// spelling is whose names adapters of the transformer may have.
	spelling() lora.Kind
	// blocks is how many blocks the transformer has.
	blocks() int
	// denoiser opens the transformer.
	denoiser(e env) (denoiser, error)
	// schedule is the noise levels of a run over so many visual tokens.
	schedule(c sampler.Config, steps, tokens int) (sampler.Schedule, error)
	// guide fills in what guidance the run has, and says whether it needs the
	// negative prompt.
	guide(r Request, run *sampler.Run) (negative bool)
	// remarks is what people should know of this folder before they wait.
	remarks() []string
	// defaults are the settings its authors recommend; downscale is how many
	// pixels a latent pixel stands for, along each side.
	defaults(downscale int) Defaults
}

// Defaults are the settings a family's authors recommend.
type Defaults struct {
	Size      int // pixels along each side
	Steps     int
	Guidance  float32
	MaxLength int
}

// denoiser is a transformer that is open on a backend.
type denoiser interface {
	model.Denoiser
	Layers() map[string]*nn.Linear
	Drop()
}

// env is where a model is opened: on a device with weights, or on the dry
// backend with shapes alone.
type env struct {
	backend tensor.Backend
	dtype   tensor.DType // of activations
	weights func(component string) (checkpoint.Source, error)
}

// families maps the pipeline class of model_index.json to its family.
var families = []struct {
	class string
	open  func(*checkpoint.Folder) (family, error)
}{
	{"FluxPipeline", openFlux},
	{"StableDiffusion3Pipeline", openSD3},
}

func openFamily(f *checkpoint.Folder) (family, string, error) {
	var index struct {
		Class string `json:"_class_name"`
	}
	if err := f.ReadJSON("model_index.json", &index); err != nil {
		return nil, "", err
	}
	for _, k := range families {
		if k.class == index.Class {
			m, err := k.open(f)
			return m, index.Class, err
		}
	}
	return nil, "", fmt.Errorf("%s/model_index.json: %w", f, CheckClass(index.Class))
}

// CheckClass refuses a pipeline class that is none of the families.
func CheckClass(class string) error {
	known := make([]string, 0, len(families))
	for _, k := range families {
		if k.class == class {
			return nil
		}
		known = append(known, k.class)
	}
	return fmt.Errorf("pipeline class %q is not one taca paints with (%s)", class, strings.Join(known, ", "))
}

// width refuses columns that a transformer's config does not name.
func width(what string, columns int, key string, want int) error {
	if columns == want {
		return nil
	}
	return fmt.Errorf("%s: %d columns, but transformer/config.json has %s %d", what, columns, key, want)
}

// textEncoder is one reader of the prompt.
type textEncoder interface {
	component() string // its folder
	kind() string      // what taca tokenize calls it, and package lora
	tokenizer(fs.FS) (tokenizer.Tokenizer, error)
	// length is the number of tokens it reads of a request.
	length(maxLength int) int
	// open binds its weights; the encoder works until drop.
	open(e env) (openEncoder, error)
}

// openEncoder is a text encoder with its weights.
type openEncoder interface {
	encode(ctx context.Context, ids []int32) (encoded, error)
	layers() map[string]*nn.Linear // by canonical path, where a LoRA may attach
	drop()
}
