package clip

import (
	"encoding/json"
	"fmt"
	"slices"

	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// Config is the encoder's config.json. Keys it lacks have the values of
// transformers' CLIPTextConfig.
type Config struct {
	Width           int     `json:"hidden_size"`             //
	MLPWidth        int     `json:"intermediate_size"`       //
	Layers          int     `json:"num_hidden_layers"`       //
	Heads           int     `json:"num_attention_heads"`     //
	Eps             float32 `json:"layer_norm_eps"`          //
	Positions       int     `json:"max_position_embeddings"` // most tokens of a prompt
	Vocabulary      int     `json:"vocab_size"`              //
	ProjectionWidth int     `json:"projection_dim"`          // columns of Output.Projected
	EndToken        int32   `json:"eos_token_id"`            // 2 stands for the token with the highest id

	Activation tensor.Activation `json:"-"` // of the MLP: QuickGELU or GELU
	Projection Projection        `json:"-"`
}

// Projection says whether an encoder projects its pooled output.
type Projection uint8

// A config names its class under "architectures". Where it names none, or a
// class that need not project, the checkpoint decides.
const (
	ProjectionUnsaid  Projection = iota // no class named
	ProjectionNeeded                    // CLIPTextModelWithProjection
	ProjectionUnasked                   // another class; a projection in the checkpoint is bound all the same
)

// UnmarshalJSON reads a config.json and refuses what this package is not a
// model of.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	file := struct {
		plain
		Type          string   `json:"model_type"`
		Architectures []string `json:"architectures"`
		Activation    string   `json:"hidden_act"`
	}{
		plain: plain{
			Width: 512, MLPWidth: 2048, Layers: 12, Heads: 8, Eps: 1e-5,
			Positions: 77, Vocabulary: 49408, ProjectionWidth: 512, EndToken: 49407,
		},
		Type:       modelType,
		Activation: tensor.QuickGELU.String(),
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("clip config: %w", err)
	}
	*c = Config(file.plain)
	switch {
	case slices.Contains(file.Architectures, "CLIPTextModelWithProjection"):
		c.Projection = ProjectionNeeded
	case len(file.Architectures) > 0:
		c.Projection = ProjectionUnasked
	}
	if file.Type != modelType {
		return fmt.Errorf("clip config: model_type is %q, want %q", file.Type, modelType)
	}
	activation, ok := activations[file.Activation]
	if !ok {
		return fmt.Errorf("clip config: hidden_act %q is not supported, want quick_gelu or gelu", file.Activation)
	}
	c.Activation = activation
	return c.check()
}

const modelType = "clip_text_model"

// activations are the functions of CLIP models in use, by transformers' names.
var activations = map[string]tensor.Activation{"quick_gelu": tensor.QuickGELU, "gelu": tensor.GELU}

// check refuses sizes that no encoder can have.
func (c Config) check() error {
	if err := nn.CheckSizes(
		nn.Size{Key: "hidden_size", Value: c.Width},
		nn.Size{Key: "intermediate_size", Value: c.MLPWidth},
		nn.Size{Key: "num_attention_heads", Value: c.Heads},
		nn.Size{Key: "max_position_embeddings", Value: c.Positions},
		nn.Size{Key: "projection_dim", Value: c.ProjectionWidth},
		nn.Size{Key: "num_hidden_layers", Value: c.Layers, Most: nn.MostLayers},
	); err != nil {
		return fmt.Errorf("clip config: %w", err)
	}
	if err := nn.CheckVocabulary(c.Vocabulary); err != nil {
		return fmt.Errorf("clip config: %w", err)
	}
	if c.Width%c.Heads != 0 {
		return fmt.Errorf("clip config: hidden_size %d is not a multiple of num_attention_heads %d", c.Width, c.Heads)
	}
	if !(c.Eps > 0) {
		return fmt.Errorf("clip config: layer_norm_eps is %g, want above 0", c.Eps)
	}
	return nil
}

// legacyEnd is the eos_token_id of configs written before transformers 4.31,
// which is not the id of the end token.
const legacyEnd = 2

// end is the row that stands for the prompt as a whole: the first end token,
// or the first row if there is none. Under a legacy config it is the token
// with the highest id, which the end token has in CLIP's own vocabulary.
func (c Config) end(ids []int32) int {
	if c.EndToken == legacyEnd {
		return slices.Index(ids, slices.Max(ids))
	}
	return max(slices.Index(ids, c.EndToken), 0)
}
