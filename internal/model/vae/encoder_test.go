package vae_test

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model/encodertest"
	"taca/internal/model/vae"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

const encoderGoldens = "testdata/encoder/*.safetensors"

type encoder struct {
	*vae.Encoder
	backend tensor.Backend
}

func (m encoder) Forward(ctx context.Context, run encodertest.Run) (map[string]tensor.Tensor, error) {
	grid := tensor.Grid{Height: run.Height, Width: run.Width}
	moments, _, err := m.Encode(ctx, run.Upload(m.backend, "pixels"), grid)
	return map[string]tensor.Tensor{"moments": moments}, err
}

func openEncoder(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (encodertest.Model, error) {
	var c vae.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	m, err := vae.OpenEncoder(c, source, b, d)
	return encoder{m, b}, err
}

func TestEncoderBlockByBlockAgainstTheReference(t *testing.T) {
	encodertest.Walk(t, encoderGoldens, openEncoder)
}

func TestEncoderBF16IsNoWorseThanNaive(t *testing.T) {
	encodertest.LowPrecision(t, encoderGoldens, openEncoder)
}

// TestEncoderBandsAgainstTheReference walks the goldens in bands of two lines.
func TestEncoderBandsAgainstTheReference(t *testing.T) {
	encodertest.Walk(t, encoderGoldens, func(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (encodertest.Model, error) {
		m, err := openEncoder(config, source, b, d)
		if err == nil {
			m.(encoder).SetBands(1)
		}
		return m, err
	})
}

func TestEncoderFullWidth(t *testing.T) {
	dir := os.Getenv("TACA_FULLWIDTH")
	if dir == "" {
		t.Skip("set TACA_FULLWIDTH to a folder made by scripts/golden/fullwidth_encoders.py (takes a minute and 1 GB of memory)")
	}
	encodertest.FullWidth(t, filepath.Join(dir, "vae-*.safetensors"), openEncoder)
}

func TestTheFirstDifferenceInTheEncoderIsTheCause(t *testing.T) {
	encodertest.Localizes(t, "testdata/encoder/four.safetensors", openEncoder, map[string]string{
		"encoder.conv_in.bias":                                 "encoder.conv_in",
		"encoder.down_blocks.0.downsamplers.0.conv.weight":     "encoder.down_blocks.0",
		"encoder.down_blocks.1.resnets.0.conv_shortcut.weight": "encoder.down_blocks.1.resnets.0",
		"encoder.down_blocks.3.resnets.0.conv1.weight":         "encoder.down_blocks.3.resnets.0",
		"encoder.mid_block.attentions.0.to_v.weight":           "encoder.mid_block.attentions.0",
		"encoder.mid_block.resnets.1.conv2.weight":             "encoder.mid_block.resnets.1",
		"encoder.conv_norm_out.weight":                         "encoder.conv_act",
		"encoder.conv_out.weight":                              "encoder.conv_out",
	})
	encodertest.Localizes(t, "testdata/encoder/older.safetensors", openEncoder, map[string]string{
		"quant_conv.weight": "quant_conv",
	})
}

func TestEncodeRefusesForeignPictures(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/encoder/four.safetensors")[0]
	b := dry.New()
	m := golden.Open(t, openEncoder, b, tensor.F32).(encoder)
	for _, c := range []struct {
		cols int
		grid tensor.Grid
	}{{4, tensor.Grid{Height: 16, Width: 8}}, {3, tensor.Grid{Height: 12, Width: 8}}, {3, tensor.Grid{Height: 8, Width: 20}}} {
		_, _, err := m.Encode(t.Context(), b.Scratch(c.grid.Rows(), c.cols, tensor.F32), c.grid)
		if err == nil || !strings.Contains(err.Error(), "want 3 columns and sides that are multiples of 8") {
			t.Errorf("%d columns on %v: error is %v", c.cols, c.grid, err)
		}
	}
}

// halting cancels when a module is done, and remembers the last.
type halting struct {
	tensor.Backend
	at, last string
	cancel   func()
}

func (h *halting) Observe(name string, _ tensor.Tensor) {
	if h.last = name; name == h.at {
		h.cancel()
	}
}

func TestEncodeStopsWhenCancelled(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/encoder/four.safetensors")[0]
	ctx, cancel := context.WithCancel(t.Context())
	b := &halting{Backend: opstest.NewReference(), at: "encoder.down_blocks.1", cancel: cancel}
	m := golden.Open(t, openEncoder, b, tensor.F32)
	if _, err := m.Forward(ctx, golden.Runs[0]); !errors.Is(err, context.Canceled) || b.last != b.at {
		t.Errorf("error is %v after %s, want %v", err, b.last, context.Canceled)
	}
}

// The decoder's half of a file is let alone, a file of that alone refused.
func TestEncoderIsHalfOfAFile(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/encoder/four.safetensors")[0]
	decoder := map[string][]int{"decoder.conv_in.weight": {32, 16, 3, 3}, "post_quant_conv.bias": {16}}
	whole := encodertest.Edited{Source: golden.Weights, Rename: oldNames.Replace, Added: decoder}
	if _, err := openEncoder(golden.Config, whole, dry.New(), tensor.F32); err != nil {
		t.Error(err)
	}
	_, err := openEncoder(golden.Config, encodertest.Goldens(t, "testdata/four.safetensors")[0].Weights, dry.New(), tensor.F32)
	var refused *checkpoint.Error
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "this model has no encoder") {
		t.Errorf("a file with a decoder alone: error is %v", err)
	}
	golden.WantDefects(t, openEncoder, encodertest.Edited{
		Source: golden.Weights,
		Rename: func(name string) string { return strings.Replace(name, "encoder.conv_out.bias", "", 1) },
		Added:  map[string][]int{"quant_conv.weight": {32, 32, 1, 1}},
	}, []string{"encoder.conv_out.bias [32]"}, nil, []string{"quant_conv.weight"})
}

func TestEncoderConfigRefusals(t *testing.T) {
	for config, want := range map[string]string{
		`{"in_channels": 4}`: "in_channels is 4, want 3",
		`{"down_block_types": ["AttnDownEncoderBlock2D"]}`: `down_block_types "AttnDownEncoderBlock2D" is not supported`,
		`{"down_block_types": []}`:                         "0 down_block_types for 1 block_out_channels",
		`{"block_out_channels": [], "up_block_types": []}`: "0 block_out_channels, want 1 to 8",
	} {
		if _, err := openEncoder([]byte(config), nil, dry.New(), tensor.F32); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q in it", config, err, want)
		}
	}
	// A decoder does without.
	if _, err := open([]byte(`{"in_channels": 4, "down_block_types": []}`), nil, dry.New(), tensor.F32); err != nil {
		t.Error(err)
	}
}

// The published encoder has as many parameters as the reference's, and at
// 1024 × 1024 its scratch is two pictures of 128 channels, and bands.
func TestEncoderTrueSize(t *testing.T) {
	for _, format := range []tensor.DType{tensor.F32, tensor.BF16} {
		b := dry.New()
		m, err := openEncoder([]byte(`{"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "latent_channels": 16,
			"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"],
			"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
			"scaling_factor": 0.3611, "shift_factor": 0.1159, "use_quant_conv": false, "use_post_quant_conv": false}`), nil, b, format)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.WeightBytes() / tensor.BF16.Size(); got != 34274208 {
			t.Errorf("%d parameters, the reference has 34274208", got)
		}
		grid := tensor.Grid{Height: 1024, Width: 1024}
		before := b.Mark()
		moments, small, err := m.(encoder).Encode(t.Context(), b.Scratch(grid.Rows(), 3, tensor.F32), grid)
		if err != nil || moments.Rows != 1<<14 || moments.Cols != 32 || small != (tensor.Grid{Height: 128, Width: 128}) {
			t.Fatalf("got %v on %v (%v)", moments, small, err)
		}
		b.Release(before)
		sheets, bands, rest := 2*128<<20*format.Size(), (18<<20)*format.Size(), 32<<20
		if most := sheets + bands + rest; b.PeakScratch() > most {
			t.Errorf("%v: %d bytes of scratch, want at most %d", format, b.PeakScratch(), most)
		}
		t.Logf("%v: %d MiB of scratch, %.2f TFLOP", format, b.PeakScratch()>>20, b.FLOPs()/1e12)
	}
}

// TestLatentsAreDrawnAsTheReferences, variances that it clamps among them.
func TestLatentsAreDrawnAsTheReferences(t *testing.T) {
	var want struct {
		Channels                int
		Scaling, Shift          float32
		Moments, Noise, Latents []float32
	}
	data, err := os.ReadFile("testdata/posterior.json")
	if err == nil {
		err = json.Unmarshal(data, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := vae.Config{LatentChannels: want.Channels, Scaling: want.Scaling, Shift: want.Shift}
	got := c.Latents(want.Moments, want.Noise)
	for i, w := range want.Latents {
		if d := got[i] - w; d > 1e-6*max(w, -w) || -d > 1e-6*max(w, -w) {
			t.Errorf("value %d is %v, want %v", i, got[i], w)
		}
	}
	if len(got) != len(want.Latents) {
		t.Errorf("%d values, want %d", len(got), len(want.Latents))
	}
}

// TestValues: what the decoder's pixels become is what they were.
func TestValues(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 3, 2))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(11 * i)
	}
	values := vae.Values(picture)
	if values[3] != 2*(float32(44)/255)-1 || len(values) != 18 {
		t.Errorf("%v", values)
	}
	back := vae.Pixels(values, tensor.Grid{Height: 2, Width: 3})
	for i, v := range back.Pix {
		if i%4 != 3 && v != picture.Pix[i] {
			t.Errorf("byte %d is %d, was %d", i, v, picture.Pix[i])
		}
	}
	part := picture.SubImage(image.Rect(1, 1, 3, 2)).(*image.RGBA)
	if got := vae.Values(part); !slices.Equal(got, values[12:]) {
		t.Errorf("of a part: %v, want %v", got, values[12:])
	}
}
