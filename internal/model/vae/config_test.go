package vae_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"taca/internal/dry"
	"taca/internal/model/vae"
	"taca/internal/tensor"
)

func TestConfigDefaultsAreTheReferences(t *testing.T) {
	var c vae.Config
	if err := json.Unmarshal([]byte(`{"_class_name": "AutoencoderKL", "shift_factor": null, "force_upcast": true}`), &c); err != nil {
		t.Fatal(err)
	}
	want := vae.Config{
		Widths: []int{64}, LayersPerBlock: 1, LatentChannels: 4, Groups: 32,
		Scaling: 0.18215, MiddleAttention: true, PostQuant: true, Quant: true, InChannels: 3, DownBlocks: []string{"DownEncoderBlock2D"},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

func TestConfigRefusals(t *testing.T) {
	for config, want := range map[string]string{
		`{"_class_name": "AutoencoderTiny"}`:               `_class_name is "AutoencoderTiny"`,
		`{"act_fn": "relu"}`:                               `act_fn "relu" is not supported, want silu`,
		`{"out_channels": 4}`:                              "out_channels is 4, want 3",
		`{"up_block_types": ["AttnUpDecoderBlock2D"]}`:     `up_block_types "AttnUpDecoderBlock2D" is not supported`,
		`{"block_out_channels": [32, 64]}`:                 "1 up_block_types for 2 block_out_channels",
		`{"block_out_channels": [], "up_block_types": []}`: "0 block_out_channels, want 1 to 8",
		`{"block_out_channels": [48]}`:                     "block_out_channels 48 is not a multiple of norm_num_groups 32",
		`{"block_out_channels": [0]}`:                      "block_out_channels is 0",
		`{"block_out_channels": 64}`:                       "block_out_channels",
		`{"layers_per_block": 0}`:                          "layers_per_block is 0",
		`{"latent_channels": -4}`:                          "latent_channels is -4",
		`{"norm_num_groups": 0}`:                           "norm_num_groups is 0",
		`{"scaling_factor": 0}`:                            "scaling_factor is 0",
	} {
		var c vae.Config
		if err := json.Unmarshal([]byte(config), &c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q in it", config, err, want)
		}
	}
}

func TestDownscale(t *testing.T) {
	for n, want := range map[int]int{1: 1, 3: 4, 4: 8} {
		if got := (vae.Config{Widths: make([]int, n)}).Downscale(); got != want {
			t.Errorf("%d widths: %d, want %d", n, got, want)
		}
	}
}

func TestOpenChecksConfig(t *testing.T) {
	if _, err := vae.Open(vae.Config{}, nil, dry.New(), tensor.F32); err == nil {
		t.Error("an empty config was opened")
	}
}
