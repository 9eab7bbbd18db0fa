package vae

import (
	"fmt"

	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// upBlock is a block after which the picture is twice as large; the last one
// leaves its size.
type upBlock struct {
	resnets []resnet
	conv    conv
	last    bool
	path    string
}

func (b *upBlock) bind(w *nn.Binder, out, in int, last bool, c Config) {
	b.path, b.last = w.Path(""), last
	b.resnets = make([]resnet, c.LayersPerBlock+1)
	for i := range b.resnets {
		b.resnets[i].bind(w.In(fmt.Sprintf("resnets.%d", i)), out, in, c.Groups)
		in = out
	}
	if !last {
		b.conv.bind(w, "upsamplers.0.conv", out, out)
	}
}

func (b *upBlock) forward(o tensor.Ops, c *canvas) {
	for i := range b.resnets {
		b.resnets[i].forward(o, c)
	}
	if !b.last {
		wide := cut(c.work, c.grid.Twice(), c.width)
		o.Upsample2x(wide, c.x(), c.grid)
		c.grid = c.grid.Twice()
		b.conv.apply(o, c.x(), wide, c.grid)
	}
	o.Observe(b.path, c.x())
}
