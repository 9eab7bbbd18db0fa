package sd3_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"taca/internal/model/sd3"
)

func TestConfigDefaultsAreTheReferences(t *testing.T) {
	var c sd3.Config
	if err := json.Unmarshal([]byte(`{"_class_name": "SD3Transformer2DModel", "qk_norm": null, "sample_size": 64}`), &c); err != nil {
		t.Fatal(err)
	}
	want := sd3.Config{
		Patch: 2, Channels: 16, Blocks: 18, HeadSize: 64, Heads: 18,
		TextWidth: 4096, CaptionWidth: 1152, PooledWidth: 2048, MostPatches: 96,
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestConfigRefusals(t *testing.T) {
	for config, want := range map[string]string{
		`{"_class_name": "FluxTransformer2DModel"}`:                  `_class_name is "FluxTransformer2DModel"`,
		`{"in_channels": 32}`:                                        "32 in_channels but 16 out_channels",
		`{"in_channels": 16, "out_channels": 32}`:                    "16 in_channels but 32 out_channels",
		`{"caption_projection_dim": 1536}`:                           "caption_projection_dim is 1536, but 18 heads of 64 are 1152 columns",
		`{"qk_norm": "layer_norm"}`:                                  `qk_norm "layer_norm" is not supported`,
		`{"dual_attention_layers": [0, 18]}`:                         "dual_attention_layers [0 18], but there are 18 layers",
		`{"dual_attention_layers": [-1]}`:                            "dual_attention_layers [-1]",
		`{"pos_embed_max_size": 0}`:                                  "pos_embed_max_size is 0",
		`{"pos_embed_max_size": 65536}`:                              "pos_embed_max_size is 65536",
		`{"patch_size": 0}`:                                          "patch_size is 0",
		`{"num_layers": 0}`:                                          "num_layers is 0",
		`{"attention_head_dim": 63, "caption_projection_dim": 1134}`: "attention_head_dim 63 is odd",
		`{"num_attention_heads": [24]}`:                              "num_attention_heads",
	} {
		var c sd3.Config
		if err := json.Unmarshal([]byte(config), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q in it", config, err, want)
		}
	}
}

func TestConfigWithoutOutChannels(t *testing.T) {
	var c sd3.Config
	if err := json.Unmarshal([]byte(`{"in_channels": 4, "out_channels": null}`), &c); err != nil || c.Channels != 4 {
		t.Errorf("channels %d, error %v; want 4 in and out", c.Channels, err)
	}
}
