package vae

import (
	"context"
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/model"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

var _ model.Decoder = (*Decoder)(nil)

// Decoder is the decoder half of an autoencoder with its weights.
type Decoder struct {
	config  Config
	format  tensor.DType // of activations
	backend tensor.Backend
	binder  *nn.Binder
	bands   banding

	postQuant mix // where the config has it
	first     conv
	stages    []stage
	norm      norm
	last      conv
}

// stage is a block of the encoder or the decoder. forward updates the picture in place.
type stage interface {
	forward(o tensor.Ops, c *canvas)
}

// Open binds a decoder's weights on backend b, for activations in format d
// (F32 or BF16). A nil source binds shapes alone, for a dry backend. An
// encoder in the file is ignored. The error lists every tensor that is
// missing, unused or of another shape than c says.
func Open(c Config, source checkpoint.Source, b tensor.Backend, d tensor.DType) (*Decoder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := nn.NewBinder(canonical(source), b)
	m := &Decoder{config: c, format: d, backend: b, binder: w, bands: usualBands}
	if c.PostQuant {
		m.postQuant.bind(w, "post_quant_conv", c.LatentChannels, c.LatentChannels)
	}
	m.bind(w.In("decoder"), c)
	if err := w.Close(ofEncoder); err != nil {
		m.Drop()
		return nil, fmt.Errorf("vae decoder: %w", err)
	}
	return m, nil
}

func (m *Decoder) bind(w *nn.Binder, c Config) {
	width := c.Widths[len(c.Widths)-1]
	m.first.bind(w, "conv_in", width, c.LatentChannels)
	mid := &middle{}
	mid.bind(w.In("mid_block"), c)
	m.stages = append(m.stages, mid)
	for i := range c.Widths {
		at := len(c.Widths) - 1 - i
		b := &upBlock{}
		next := 0
		if at > 0 {
			next = c.Widths[at-1]
		}
		b.bind(w.In(fmt.Sprintf("up_blocks.%d", i)), c.Widths[at], width, next, c)
		m.stages = append(m.stages, b)
		width = c.Widths[at]
	}
	m.norm.bind(w, "conv_norm_out", width, c.Groups)
	m.last.bind(w, "conv_out", colours, width)
}

// Drop gives back the weights; the decoder is dead afterwards.
func (m *Decoder) Drop() { m.binder.Drop() }

// Decode implements model.Decoder. The pixels are F32. It returns ctx's error
// when cancelled between blocks, and the device's.
func (m *Decoder) Decode(ctx context.Context, latents tensor.Tensor, grid tensor.Grid) (tensor.Tensor, tensor.Grid, error) {
	if latents.Rows != grid.Rows() || latents.Cols != m.config.LatentChannels {
		return tensor.Tensor{}, tensor.Grid{}, fmt.Errorf("vae decoder: latents are %v, want %d×%d: they belong to another model",
			latents, grid.Rows(), m.config.LatentChannels)
	}
	o, scale := m.backend, m.config.Downscale()
	full := tensor.Grid{Height: scale * grid.Height, Width: scale * grid.Width}
	pixels := o.Scratch(full.Rows(), colours, tensor.F32)
	defer o.Release(o.Mark())

	m.binder.Weights().Need(nil)
	c := newCanvas(o, decoderSheets(m.config, grid, m.bands), grid, m.config.Widths[len(m.config.Widths)-1], m.format, m.bands)
	m.enter(o, c, latents)
	for _, s := range m.stages {
		if err := ctx.Err(); err != nil {
			return tensor.Tensor{}, tensor.Grid{}, err
		}
		s.forward(o, c)
	}
	m.norm.apply(o, c.x(), c.x(), tensor.SiLU)
	o.Observe("decoder.conv_act", c.x())
	m.last.apply(o, pixels, c.x(), full)
	o.Observe("decoder.conv_out", pixels)
	return pixels, full, o.Err()
}

// enter puts latents, as the denoiser leaves them, on the canvas.
func (m *Decoder) enter(o tensor.Ops, c *canvas, latents tensor.Tensor) {
	defer o.Release(o.Mark())
	z := o.Scratch(latents.Rows, latents.Cols, tensor.F32)
	ones := o.Scratch(latents.Rows, latents.Cols, tensor.F32)
	o.Upload(ones, repeat(1, latents.Rows*latents.Cols))
	o.Mix(z, 1/m.config.Scaling, latents, m.config.Shift, ones)
	if m.config.PostQuant {
		mixed := ones
		m.postQuant.apply(o, mixed, z)
		o.Observe("post_quant_conv", mixed)
		z = mixed
	}
	m.first.apply(o, c.x(), z, c.grid)
	o.Observe("decoder.conv_in", c.x())
}

func repeat(v float32, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = v
	}
	return values
}
