package t5

import (
	"encoding/json"
	"fmt"

	"taca/internal/model/nn"
)

// Config is the encoder's config.json. Keys it lacks have the values of
// transformers' T5Config.
type Config struct {
	Width       int     `json:"d_model"`                         //
	HeadSize    int     `json:"d_kv"`                            //
	Heads       int     `json:"num_heads"`                       //
	MLPWidth    int     `json:"d_ff"`                            //
	Blocks      int     `json:"num_layers"`                      //
	Buckets     int     `json:"relative_attention_num_buckets"`  // half for tokens before, half for tokens behind
	MaxDistance int     `json:"relative_attention_max_distance"` // from here on all tokens share a bucket
	Eps         float32 `json:"layer_norm_epsilon"`              //
	Vocabulary  int     `json:"vocab_size"`                      //
}

// inner is the number of columns of queries, keys and values, which need not
// be the width.
func (c Config) inner() int { return c.Heads * c.HeadSize }

const modelType = "t5"

// UnmarshalJSON reads a config.json and refuses what this package is not a
// model of.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	file := struct {
		plain
		Type string `json:"model_type"`
		MLP  string `json:"feed_forward_proj"`
	}{
		plain: plain{
			Width: 512, HeadSize: 64, Heads: 8, MLPWidth: 2048, Blocks: 6,
			Buckets: 32, MaxDistance: 128, Eps: 1e-6, Vocabulary: 32128,
		},
		Type: modelType,
		MLP:  "relu",
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("t5 config: %w", err)
	}
	*c = Config(file.plain)
	if file.Type != modelType {
		return fmt.Errorf("t5 config: model_type is %q, want %q", file.Type, modelType)
	}
	// transformers reads gated-gelu as the tanh approximation, which it calls gelu_new.
	if file.MLP != "gated-gelu" && file.MLP != "gated-gelu_new" {
		return fmt.Errorf("t5 config: feed_forward_proj %q is not supported, want gated-gelu, which T5 v1.1 has", file.MLP)
	}
	return c.check()
}

// check refuses sizes that no encoder can have.
func (c Config) check() error {
	if err := nn.CheckSizes(
		nn.Size{Key: "d_model", Value: c.Width},
		nn.Size{Key: "d_kv", Value: c.HeadSize},
		nn.Size{Key: "num_heads", Value: c.Heads},
		nn.Size{Key: "num_heads × d_kv", Value: c.inner()},
		nn.Size{Key: "d_ff", Value: c.MLPWidth},
		nn.Size{Key: "relative_attention_num_buckets", Value: c.Buckets},
		nn.Size{Key: "relative_attention_max_distance", Value: c.MaxDistance},
		nn.Size{Key: "num_layers", Value: c.Blocks, Most: nn.MostLayers},
	); err != nil {
		return fmt.Errorf("t5 config: %w", err)
	}
	if err := nn.CheckVocabulary(c.Vocabulary); err != nil {
		return fmt.Errorf("t5 config: %w", err)
	}
	if c.Buckets < 4 || c.MaxDistance <= c.exact() {
		return fmt.Errorf("t5 config: %d relative_attention_num_buckets up to relative_attention_max_distance %d, "+
			"want 4 or more buckets and a distance above a quarter of them", c.Buckets, c.MaxDistance)
	}
	if !(c.Eps > 0) {
		return fmt.Errorf("t5 config: layer_norm_epsilon is %g, want above 0", c.Eps)
	}
	return nil
}
