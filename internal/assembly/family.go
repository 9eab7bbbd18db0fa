package assembly

import (
	"taca/configs"
	"taca/internal/dialect"
)

// family is what differs between the folders of FLUX.1 and of Stable Diffusion
// 3: the pipeline's class, and where each role's component lies.
type family struct {
	name    string
	class   string
	kind    dialect.Kind  // of its transformer
	folders [roles]string // empty: it has no such component
	classes settings      // of the components, as model_index.json says
}

var families = []*family{
	{"FLUX.1", "FluxPipeline", dialect.FLUXTransformer, [roles]string{"transformer", "vae", "text_encoder", "", "text_encoder_2"}, settings{
		"scheduler":      [2]string{"diffusers", "FlowMatchEulerDiscreteScheduler"},
		"transformer":    [2]string{"diffusers", "FluxTransformer2DModel"},
		"vae":            [2]string{"diffusers", "AutoencoderKL"},
		"text_encoder":   [2]string{"transformers", "CLIPTextModel"},
		"text_encoder_2": [2]string{"transformers", "T5EncoderModel"},
		"tokenizer":      [2]string{"transformers", "CLIPTokenizer"},
		"tokenizer_2":    [2]string{"transformers", "T5TokenizerFast"},
	}},
	{"Stable Diffusion 3", "StableDiffusion3Pipeline", dialect.SD3Transformer, [roles]string{"transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"}, settings{
		"scheduler":      [2]string{"diffusers", "FlowMatchEulerDiscreteScheduler"},
		"transformer":    [2]string{"diffusers", "SD3Transformer2DModel"},
		"vae":            [2]string{"diffusers", "AutoencoderKL"},
		"text_encoder":   [2]string{"transformers", "CLIPTextModelWithProjection"},
		"text_encoder_2": [2]string{"transformers", "CLIPTextModelWithProjection"},
		"text_encoder_3": [2]string{"transformers", "T5EncoderModel"},
		"tokenizer":      [2]string{"transformers", "CLIPTokenizer"},
		"tokenizer_2":    [2]string{"transformers", "CLIPTokenizer"},
		"tokenizer_3":    [2]string{"transformers", "T5TokenizerFast"},
	}},
}

// projects reports whether the family takes the projections of two CLIPs.
func (f *family) projects() bool { return f.folders[clipG] != "" }

// familyOf is the family of a pipeline's class; nil where it is none's.
func familyOf(class string) *family {
	for _, f := range families {
		if f.class == class {
			return f
		}
	}
	return nil
}

// familyWith is the family of a transformer.
func familyWith(k dialect.Kind) *family {
	for _, f := range families {
		if f.kind == k {
			return f
		}
	}
	return nil
}

// familyOfPreset is nil for no preset and for the embedded model, whose settings
// are in its folder alone.
func familyOfPreset(p *configs.Preset) (*family, error) {
	index, err := presetSettings(p, "model_index.json")
	class, _ := index["_class_name"].(string)
	return familyOf(class), err
}
