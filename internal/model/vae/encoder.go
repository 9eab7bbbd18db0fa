package vae

import (
	"context"
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// Encoder is the encoder half of an autoencoder with its weights.
type Encoder struct {
	config  Config
	format  tensor.DType // of activations
	backend tensor.Backend
	binder  *nn.Binder
	bands   banding

	first  conv
	stages []stage
	norm   norm
	last   conv
	quant  mix // where the config has it
}

// OpenEncoder is Open of the other half: a decoder in the file is ignored. A
// file without an encoder is a *checkpoint.Error.
func OpenEncoder(c Config, source checkpoint.Source, b tensor.Backend, d tensor.DType) (*Encoder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if source != nil && !has(source, "encoder.conv_in.weight") {
		return nil, &checkpoint.Error{Path: source.String(), Problem: "this model has no encoder",
			Hint: "it cannot start from a picture; a vae folder with both halves has encoder.conv_in.weight"}
	}
	if err := c.checkEncoder(); err != nil {
		return nil, err
	}
	w := nn.NewBinder(canonical(source), b)
	m := &Encoder{config: c, format: d, backend: b, binder: w, bands: usualBands}
	m.bind(w.In("encoder"), c)
	if c.Quant {
		m.quant.bind(w, "quant_conv", 2*c.LatentChannels, 2*c.LatentChannels)
	}
	if err := w.Close(ofDecoder); err != nil {
		m.Drop()
		return nil, fmt.Errorf("vae encoder: %w", err)
	}
	return m, nil
}

func (m *Encoder) bind(w *nn.Binder, c Config) {
	in := c.Widths[0]
	m.first.bind(w, "conv_in", in, colours)
	for i, out := range c.Widths {
		b, next := &downBlock{}, 0
		if i+1 < len(c.Widths) {
			next = c.Widths[i+1]
		}
		b.bind(w.In(fmt.Sprintf("down_blocks.%d", i)), out, in, next, c)
		m.stages = append(m.stages, b)
		in = out
	}
	mid := &middle{}
	mid.bind(w.In("mid_block"), c)
	m.stages = append(m.stages, mid)
	m.norm.bind(w, "conv_norm_out", in, c.Groups)
	m.last.bind(w, "conv_out", 2*c.LatentChannels, in)
}

// Drop gives back the weights; the encoder is dead afterwards.
func (m *Encoder) Drop() { m.binder.Drop() }

// Encode takes a picture, one row per pixel of grid: red, green and blue from -1
// to 1. It returns in scratch memory what Config.Latents reads, F32: one row per
// latent pixel of the grid it returns, the means of all channels and then the
// logarithms of their variances. It returns ctx's error when cancelled between
// blocks, and the device's.
func (m *Encoder) Encode(ctx context.Context, pixels tensor.Tensor, grid tensor.Grid) (tensor.Tensor, tensor.Grid, error) {
	scale := m.config.Downscale()
	if pixels.Rows != grid.Rows() || pixels.Cols != colours || grid.Height%scale != 0 || grid.Width%scale != 0 {
		return tensor.Tensor{}, tensor.Grid{}, fmt.Errorf("vae encoder: the picture is %v on %d×%d, want %d columns and sides that are multiples of %d",
			pixels, grid.Height, grid.Width, colours, scale)
	}
	o := m.backend
	small := tensor.Grid{Height: grid.Height / scale, Width: grid.Width / scale}
	moments := o.Scratch(small.Rows(), 2*m.config.LatentChannels, tensor.F32)
	defer o.Release(o.Mark())

	m.binder.Weights().Need(nil)
	c := newCanvas(o, encoderSheets(m.config, grid, m.bands), grid, m.config.Widths[0], m.format, m.bands)
	m.first.apply(o, c.x(), pixels, grid)
	o.Observe("encoder.conv_in", c.x())
	for _, s := range m.stages {
		if err := ctx.Err(); err != nil {
			return tensor.Tensor{}, tensor.Grid{}, err
		}
		s.forward(o, c)
	}
	m.norm.apply(o, c.x(), c.x(), tensor.SiLU)
	o.Observe("encoder.conv_act", c.x())
	found := moments
	if m.config.Quant {
		found = o.Scratch(moments.Rows, moments.Cols, tensor.F32)
	}
	m.last.apply(o, found, c.x(), small)
	o.Observe("encoder.conv_out", found)
	if m.config.Quant {
		m.quant.apply(o, moments, found)
		o.Observe("quant_conv", moments)
	}
	return moments, small, o.Err()
}
