package vae_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model/encodertest"
	"taca/internal/model/modeltest"
	"taca/internal/model/vae"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

const goldens = "testdata/*.safetensors"

type model struct {
	*vae.Decoder
	backend tensor.Backend
}

func (m model) Forward(ctx context.Context, run encodertest.Run) (map[string]tensor.Tensor, error) {
	grid := tensor.Grid{Height: run.Height, Width: run.Width}
	pixels, _, err := m.Decode(ctx, run.Upload(m.backend, "latents"), grid)
	return map[string]tensor.Tensor{"pixels": pixels}, err
}

func open(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (encodertest.Model, error) {
	var c vae.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	m, err := vae.Open(c, source, b, d)
	return model{m, b}, err
}

func TestBlockByBlockAgainstTheReference(t *testing.T) { encodertest.Walk(t, goldens, open) }

func TestBF16IsNoWorseThanNaive(t *testing.T) { encodertest.LowPrecision(t, goldens, open) }

func TestTheFirstDifferenceIsTheCause(t *testing.T) {
	encodertest.Localizes(t, "testdata/four.safetensors", open, map[string]string{
		"decoder.conv_in.bias":                               "decoder.conv_in",
		"decoder.mid_block.resnets.0.norm2.weight":           "decoder.mid_block.resnets.0",
		"decoder.mid_block.attentions.0.to_k.weight":         "decoder.mid_block.attentions.0",
		"decoder.mid_block.resnets.1.conv2.weight":           "decoder.mid_block.resnets.1",
		"decoder.up_blocks.0.upsamplers.0.conv.bias":         "decoder.up_blocks.0",
		"decoder.up_blocks.1.resnets.0.conv_shortcut.weight": "decoder.up_blocks.1.resnets.0",
		"decoder.up_blocks.3.resnets.1.conv1.weight":         "decoder.up_blocks.3.resnets.1",
		"decoder.conv_norm_out.weight":                       "decoder.conv_act",
		"decoder.conv_out.weight":                            "decoder.conv_out",
	})
	encodertest.Localizes(t, "testdata/older.safetensors", open, map[string]string{
		"post_quant_conv.weight": "post_quant_conv",
	})
}

func TestDecodeRefusesForeignLatents(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/four.safetensors")[0]
	b := dry.New()
	m := golden.Open(t, open, b, tensor.F32).(model)
	for _, shape := range [][2]int{{12, 4}, {11, 16}} {
		_, _, err := m.Decode(t.Context(), b.Scratch(shape[0], shape[1], tensor.F32), tensor.Grid{Height: 3, Width: 4})
		if err == nil || !strings.Contains(err.Error(), "want 12×16") {
			t.Errorf("%v: error is %v", shape, err)
		}
	}
}

func TestDecodeStopsWhenCancelled(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/four.safetensors")[0]
	ctx, cancel := context.WithCancel(t.Context())
	spy := &modeltest.Spy{Backend: opstest.NewReference(), After: cancel}
	m := golden.Open(t, open, spy, tensor.F32)
	if _, err := m.Forward(ctx, golden.Runs[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

var oldNames = strings.NewReplacer(".to_q.", ".query.", ".to_k.", ".key.", ".to_v.", ".value.", ".to_out.0.", ".proj_attn.")

// Old files call the attention's parts otherwise, some hold them as
// convolutions, and all hold the encoder.
func TestOtherSpellings(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/four.safetensors")[0]
	convolution := func(name string, shape []int) []int {
		if strings.Contains(name, ".attentions.") && len(shape) == 2 {
			return append(append([]int{}, shape...), 1, 1)
		}
		return shape
	}
	encoder := map[string][]int{"encoder.conv_in.weight": {8, 3, 3, 3}, "quant_conv.weight": {8, 8, 1, 1}, "quant_conv.bias": {8}}
	for name, source := range map[string]checkpoint.Source{
		"old":              encodertest.Edited{Source: golden.Weights, Rename: oldNames.Replace, Added: encoder},
		"old convolutions": encodertest.Edited{Source: golden.Weights, Rename: oldNames.Replace, Reshape: convolution},
		"convolutions":     encodertest.Edited{Source: golden.Weights, Reshape: convolution},
	} {
		if _, err := open(golden.Config, source, dry.New(), tensor.F32); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The right parts of an old attention go to the right places.
func TestOldSpellingDecodesAlike(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/four.safetensors")[0]
	encodertest.Walk(t, "testdata/four.safetensors", func(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (encodertest.Model, error) {
		return open(golden.Config, encodertest.Edited{Source: source, Rename: oldNames.Replace}, b, d)
	})
}

func TestOpenListsAllDefects(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/four.safetensors")[0]
	golden.WantDefects(t, open, encodertest.Edited{
		Source: golden.Weights,
		Rename: func(name string) string { return strings.Replace(name, "decoder.conv_out.bias", "", 1) },
		Reshape: func(name string, shape []int) []int {
			if name == "decoder.up_blocks.1.resnets.0.conv_shortcut.weight" {
				return []int{32, 16, 1, 1}
			}
			return shape
		},
		// A matrix that the config says is not there, and a second spelling.
		Added: map[string][]int{"post_quant_conv.weight": {16, 16, 1, 1}, "decoder.mid_block.attentions.0.query.weight": {32, 32}},
	},
		[]string{"decoder.conv_out.bias [3]"},
		[]string{"decoder.up_blocks.1.resnets.0.conv_shortcut.weight is [32 16 1 1], config wants [16 32 1 1]"},
		[]string{"decoder.mid_block.attentions.0.query.weight", "post_quant_conv.weight"})
}

// The published decoder has as many parameters as the reference's, and at
// 1024 × 1024 its scratch is a picture of 256 channels, one of 128, and bands.
func TestTrueSize(t *testing.T) {
	for _, format := range []tensor.DType{tensor.F32, tensor.BF16} {
		b := dry.New()
		d, err := open([]byte(`{"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 16,
			"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
			"scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": false, "use_post_quant_conv": false}`), nil, b, format)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.WeightBytes() / tensor.BF16.Size(); got != 49545475 {
			t.Errorf("%d parameters, the reference has 49545475", got)
		}
		grid := tensor.Grid{Height: 128, Width: 128}
		pixels, full, err := d.(model).Decode(t.Context(), b.Scratch(grid.Rows(), 16, tensor.F32), grid)
		if err != nil || pixels.Rows != 1<<20 || full != (tensor.Grid{Height: 1024, Width: 1024}) {
			t.Fatalf("got %v on %v (%v)", pixels, full, err)
		}
		sheets, bands, rest := (256+128)<<20*format.Size(), 2*(18<<20)*format.Size(), 16<<20
		if most := sheets + bands + rest; b.PeakScratch() > most {
			t.Errorf("%v: %d bytes of scratch, want at most %d", format, b.PeakScratch(), most)
		}
	}
}
