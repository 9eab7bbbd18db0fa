package t5_test

import (
	"encoding/json"
	"strings"
	"testing"

	"taca/internal/dry"
	"taca/internal/model/t5"
	"taca/internal/tensor"
)

func TestConfigDefaultsAreTheReferences(t *testing.T) {
	var c t5.Config
	if err := json.Unmarshal([]byte(`{"model_type": "t5", "feed_forward_proj": "gated-gelu", "dropout_rate": 0.1}`), &c); err != nil {
		t.Fatal(err)
	}
	want := t5.Config{
		Width: 512, HeadSize: 64, Heads: 8, MLPWidth: 2048, Blocks: 6,
		Buckets: 32, MaxDistance: 128, Eps: 1e-6, Vocabulary: 32128,
	}
	if c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestConfigRefusals(t *testing.T) {
	for config, want := range map[string]string{
		`{}`:                                  `feed_forward_proj "relu" is not supported`,
		`{"feed_forward_proj": "gated-silu"}`: `feed_forward_proj "gated-silu" is not supported`,
		`{"model_type": "umt5"}`:              `model_type is "umt5"`,
	} {
		refused(t, config, want)
	}
	for config, want := range map[string]string{
		`"d_model": 0`:                         "d_model is 0",
		`"d_kv": -1`:                           "d_kv is -1",
		`"num_heads": 70000`:                   "num_heads is 70000",
		`"num_heads": 2048`:                    "num_heads × d_kv is 131072",
		`"d_ff": 0`:                            "d_ff is 0",
		`"num_layers": 0`:                      "num_layers is 0",
		`"vocab_size": 0`:                      "vocab_size is 0",
		`"layer_norm_epsilon": 0`:              "layer_norm_epsilon is 0",
		`"layer_norm_epsilon": ""`:             "layer_norm_epsilon",
		`"relative_attention_num_buckets": 3`:  "3 relative_attention_num_buckets",
		`"relative_attention_max_distance": 8`: "relative_attention_max_distance 8, want",
		`"relative_attention_max_distance": 0`: "relative_attention_max_distance is 0",
		`"relative_attention_num_buckets": 40, "relative_attention_max_distance": 10`: "relative_attention_max_distance 10, want",
	} {
		refused(t, `{"feed_forward_proj": "gated-gelu", `+config+`}`, want)
	}
}

func refused(t *testing.T, config, want string) {
	t.Helper()
	var c t5.Config
	if err := json.Unmarshal([]byte(config), &c); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error is %v, want %q in it", config, err, want)
	}
}

func TestOpenChecksConfig(t *testing.T) {
	if _, err := t5.Open(t5.Config{}, nil, dry.New(), tensor.F32); err == nil {
		t.Error("an empty config was opened")
	}
}
