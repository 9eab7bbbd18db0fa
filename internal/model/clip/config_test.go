package clip_test

import (
	"encoding/json"
	"strings"
	"testing"

	"taca/internal/dry"
	"taca/internal/model/clip"
	"taca/internal/tensor"
)

func TestConfigDefaultsAreTheReferences(t *testing.T) {
	var c clip.Config
	if err := json.Unmarshal([]byte(`{"model_type": "clip_text_model", "pad_token_id": 1, "eos_token_id": null}`), &c); err != nil {
		t.Fatal(err)
	}
	want := clip.Config{
		Width: 512, MLPWidth: 2048, Layers: 12, Heads: 8, Eps: 1e-5, Positions: 77, Vocabulary: 49408,
		ProjectionWidth: 512, EndToken: 49407, Activation: tensor.QuickGELU,
	}
	if c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestConfigRefusals(t *testing.T) {
	for config, want := range map[string]string{
		`{"model_type": "t5"}`:           `model_type is "t5"`,
		`{"hidden_act": "relu"}`:         `hidden_act "relu" is not supported, want quick_gelu or gelu`,
		`{"hidden_size": 500}`:           "hidden_size 500 is not a multiple of num_attention_heads 8",
		`{"num_attention_heads": 0}`:     "num_attention_heads is 0",
		`{"num_hidden_layers": -1}`:      "num_hidden_layers is -1",
		`{"vocab_size": 9999999}`:        "vocab_size is 9999999",
		`{"max_position_embeddings": 0}`: "max_position_embeddings is 0",
		`{"projection_dim": 0}`:          "projection_dim is 0",
		`{"intermediate_size": 0}`:       "intermediate_size is 0",
		`{"layer_norm_eps": -1}`:         "layer_norm_eps is -1",
		`{"layer_norm_eps": "small"}`:    "layer_norm_eps",
		`{"eos_token_id": [1, 2]}`:       "eos_token_id",
		`{"hidden_size": 4.5}`:           "hidden_size",
	} {
		var c clip.Config
		if err := json.Unmarshal([]byte(config), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q in it", config, err, want)
		}
	}
}

func TestOpenChecksConfig(t *testing.T) {
	if _, err := clip.Open(clip.Config{}, nil, dry.New(), tensor.F32); err == nil {
		t.Error("an empty config was opened")
	}
}
