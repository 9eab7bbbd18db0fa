package flux_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"taca/internal/model/flux"
)

func TestConfigDefaultsAreTheReferences(t *testing.T) {
	var c flux.Config
	if err := json.Unmarshal([]byte(`{"_class_name": "FluxTransformer2DModel", "guidance_embeds": true, "out_channels": null}`), &c); err != nil {
		t.Fatal(err)
	}
	want := flux.Config{
		InChannels: 64, DoubleBlocks: 19, SingleBlocks: 38, HeadSize: 128, Heads: 24,
		TextWidth: 4096, PooledWidth: 768, GuidanceEmbeds: true, RopeAxes: []int{16, 56, 56},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestConfigRefusals(t *testing.T) {
	for config, want := range map[string]string{
		`{"_class_name": "SD3Transformer2DModel"}`:                `_class_name is "SD3Transformer2DModel"`,
		`{"patch_size": 2}`:                                       "patch_size 2 is not supported",
		`{"in_channels": 128, "out_channels": 64}`:                "128 in_channels but 64 out_channels",
		`{"in_channels": 63}`:                                     "in_channels 63 is not a multiple of 4",
		`{"axes_dims_rope": [16, 56, 50]}`:                        "adds up to 122, but attention_head_dim is 128",
		`{"axes_dims_rope": [15, 57, 56]}`:                        "want even sizes",
		`{"axes_dims_rope": [-2, 74, 56]}`:                        "want even sizes",
		`{"axes_dims_rope": [64, 64]}`:                            "want three sizes",
		`{"axes_dims_rope": null}`:                                "want three sizes",
		`{"num_attention_heads": 0}`:                              "num_attention_heads is 0",
		`{"num_attention_heads": 4611686018427387904}`:            "num_attention_heads is 4611686018427387904",
		`{"num_layers": -1}`:                                      "num_layers -1",
		`{"num_layers": 0, "num_single_layers": 0}`:               "num_layers + num_single_layers is 0",
		`{"joint_attention_dim": "wide"}`:                         "joint_attention_dim",
		`{"pooled_projection_dim": -768}`:                         "pooled_projection_dim is -768",
		`{"attention_head_dim": 32768, "num_attention_heads": 2}`: "num_attention_heads × attention_head_dim is 65536",
	} {
		var c flux.Config
		if err := json.Unmarshal([]byte(config), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q in it", config, err, want)
		}
	}
}
