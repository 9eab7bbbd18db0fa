package vae

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// middle works at the size of the latents, where every pixel can look at
// every other.
type middle struct {
	before, after resnet
	attention     *attention // nil where the config has none
	path          string
}

func (m *middle) bind(w *nn.Binder, c Config) {
	width := c.Widths[len(c.Widths)-1]
	m.path = w.Path("")
	m.before.bind(w.In("resnets.0"), width, width, c.Groups)
	if c.MiddleAttention {
		m.attention = &attention{}
		m.attention.bind(w.In("attentions.0"), width, c.Groups)
	}
	m.after.bind(w.In("resnets.1"), width, width, c.Groups)
}

func (m *middle) forward(o tensor.Ops, c *canvas) {
	m.before.forward(o, c)
	if m.attention != nil {
		m.attention.forward(o, c)
	}
	m.after.forward(o, c)
	o.Observe(m.path, c.x())
}
