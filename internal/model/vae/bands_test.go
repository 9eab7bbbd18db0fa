package vae_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model/encodertest"
	"taca/internal/model/modeltest"
	"taca/internal/model/nn"
	"taca/internal/model/vae"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// undivided is a band that holds any picture of these tests.
const undivided = 1 << 24

// weights invents a checkpoint for c: the defects of an empty one list all
// tensors that there should be, with their shapes.
func weights(t *testing.T, c vae.Config) modeltest.Weights {
	t.Helper()
	_, err := vae.Open(c, modeltest.Weights{}, dry.New(), tensor.F32)
	return invented(t, err)
}

// encoderWeights is weights of the other half. The one that tells that there is
// an encoder is there already.
func encoderWeights(t *testing.T, c vae.Config) modeltest.Weights {
	t.Helper()
	first := modeltest.Plan{Name: "encoder.conv_in.weight", Shape: []int{c.Widths[0], 3, 3, 3}, Scale: 0.3}
	_, err := vae.OpenEncoder(c, modeltest.Weights{first}, dry.New(), tensor.F32)
	return append(invented(t, err), first)
}

// invented is tensors where err tells that they are missing.
func invented(t *testing.T, err error) modeltest.Weights {
	t.Helper()
	var defects *nn.Defects
	if !errors.As(err, &defects) {
		t.Fatalf("an empty checkpoint: %v", err)
	}
	var all modeltest.Weights
	for _, missing := range defects.Missing {
		name, shape, _ := strings.Cut(missing, " ")
		plan := modeltest.Plan{Name: name, Scale: 0.3}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(shape, " ", ",")), &plan.Shape); err != nil {
			t.Fatal(err)
		}
		all = append(all, plan)
	}
	return all
}

// encode is what an encoder says of noise, with bands of so many elements.
func encode(t *testing.T, b tensor.Backend, c vae.Config, w checkpoint.Source, d tensor.DType, latents tensor.Grid, elements int) []float32 {
	t.Helper()
	m, err := vae.OpenEncoder(c, w, b, d)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Drop()
	defer b.Release(b.Mark())
	m.SetBands(elements)
	grid := tensor.Grid{Height: latents.Height * c.Downscale(), Width: latents.Width * c.Downscale()}
	x := b.Scratch(grid.Rows(), 3, tensor.F32)
	b.Upload(x, sampler.Noise(3, x.Rows*x.Cols))
	moments, small, err := m.Encode(t.Context(), x, grid)
	if err != nil || small != latents || moments.Rows != latents.Rows() {
		t.Fatalf("%v on %v: %v", moments, small, err)
	}
	out := make([]float32, moments.Rows*moments.Cols)
	b.Download(out, moments)
	return out
}

// decode is the pixels of noise, with bands of so many elements.
func decode(t *testing.T, b tensor.Backend, c vae.Config, w checkpoint.Source, d tensor.DType, grid tensor.Grid, elements int) []float32 {
	t.Helper()
	m, err := vae.Open(c, w, b, d)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Drop()
	defer b.Release(b.Mark())
	m.SetBands(elements)
	z := b.Scratch(grid.Rows(), c.LatentChannels, tensor.F32)
	b.Upload(z, sampler.Noise(3, z.Rows*z.Cols))
	pixels, full, err := m.Decode(t.Context(), z, grid)
	if err != nil || pixels.Rows != full.Rows() {
		t.Fatalf("%v on %v: %v", pixels, full, err)
	}
	out := make([]float32, pixels.Rows*pixels.Cols)
	b.Download(out, pixels)
	return out
}

// shapes are autoencoders as published ones are, and some that only a
// config.json can think of: channels that shrink with the picture, or one size
// alone.
var shapes = []vae.Config{
	whole(vae.Config{Widths: []int{8, 16, 16}, LayersPerBlock: 2, LatentChannels: 4, Groups: 4, Scaling: 0.5, MiddleAttention: true}),
	whole(vae.Config{Widths: []int{24, 8, 16, 4}, LayersPerBlock: 1, LatentChannels: 3, Groups: 2, Scaling: 2, Shift: 0.1, PostQuant: true, Quant: true}),
	whole(vae.Config{Widths: []int{8}, LayersPerBlock: 1, LatentChannels: 4, Groups: 4, Scaling: 1, MiddleAttention: true}),
}

// whole is c with an encoder that fits its decoder.
func whole(c vae.Config) vae.Config {
	c.InChannels, c.DownBlocks = 3, slices.Repeat([]string{"DownEncoderBlock2D"}, len(c.Widths))
	return c
}

// halves are the encoder and the decoder.
var halves = []struct {
	name    string
	weights func(*testing.T, vae.Config) modeltest.Weights
	run     func(t *testing.T, b tensor.Backend, c vae.Config, w checkpoint.Source, d tensor.DType, latents tensor.Grid, elements int) []float32
}{{"encoder", encoderWeights, encode}, {"decoder", weights, decode}}

var grids = []tensor.Grid{{Height: 9, Width: 5}, {Height: 16, Width: 2}, {Height: 1, Width: 7}, {Height: 2, Width: 1}}

// TestBandsChangeNoBit compares what comes out of bands of many sizes with what
// comes out of the whole.
func TestBandsChangeNoBit(t *testing.T) {
	for _, backend := range modeltest.Backends() {
		b, err := backend.Open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		for _, half := range halves {
			for i, c := range shapes {
				w := half.weights(t, c)
				for _, grid := range grids {
					for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
						want := half.run(t, b, c, w, d, grid, undivided)
						for _, elements := range []int{1, 500, 4000} {
							got := half.run(t, b, c, w, d, grid, elements)
							if at := slices.IndexFunc(got, func(v float32) bool { return math.IsNaN(float64(v)) }); at >= 0 {
								t.Fatalf("%s: value %d is not a number", backend.Name, at)
							}
							if !slices.Equal(got, want) {
								t.Errorf("%s, %s %d, %v, %v: bands of %d elements give something else", backend.Name, half.name, i, d, grid, elements)
							}
						}
					}
				}
			}
		}
	}
}

// TestBandsAgainstTheReference walks the goldens in bands of two lines.
func TestBandsAgainstTheReference(t *testing.T) {
	encodertest.Walk(t, goldens, func(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (encodertest.Model, error) {
		m, err := open(config, source, b, d)
		if err == nil {
			m.(model).SetBands(1)
		}
		return m, err
	})
}

// TestBandsFitTheirSheets runs both halves on the dry backend, which refuses a matrix
// that reaches past its memory, or a result that overlaps an operand.
func TestBandsFitTheirSheets(t *testing.T) {
	for _, widths := range [][]int{{4, 4}, {4, 8}, {8, 4}, {4, 8, 4}, {8, 4, 8}, {2, 4, 6, 8}, {8, 6, 4, 2}, {6, 6, 2, 10, 4}} {
		c := whole(vae.Config{Widths: widths, LayersPerBlock: 1, LatentChannels: 2, Groups: 2, Scaling: 1, MiddleAttention: true})
		for height := 1; height <= 9; height++ {
			for width := 1; width <= 5; width += 2 {
				for elements := 1; elements < 1<<14; elements *= 3 {
					t.Run(fmt.Sprint(widths, height, "×", width, " by ", elements), func(t *testing.T) {
						for _, half := range halves {
							half.run(t, dry.New(), c, nil, tensor.F32, tensor.Grid{Height: height, Width: width}, elements)
						}
					})
				}
			}
		}
	}
}
