package vae

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// resnet adds to each pixel what two convolutions find around it.
type resnet struct {
	norm1, norm2 norm
	conv1, conv2 conv
	shortcut     mix // where the number of channels changes, else none
	in, out      int
	path         string
}

func (r *resnet) bind(w *nn.Binder, out, in, groups int) {
	r.in, r.out, r.path = in, out, w.Path("")
	r.norm1.bind(w, "norm1", in, groups)
	r.conv1.bind(w, "conv1", out, in)
	r.norm2.bind(w, "norm2", out, groups)
	r.conv2.bind(w, "conv2", out, out)
	if out != in {
		r.shortcut.bind(w, "conv_shortcut", out, in)
	}
}

func (r *resnet) forward(o tensor.Ops, c *canvas) {
	if r.out == r.in {
		r.keep(o, c)
	} else {
		r.change(o, c)
	}
	o.Observe(r.path, c.x())
}

// keep adds to a picture whose number of channels stays.
func (r *resnet) keep(o tensor.Ops, c *canvas) {
	x, h, g := c.x(), cut(c.work, c.grid, r.in), cut(c.side, c.grid, r.out)
	r.norm1.apply(o, h, x, tensor.SiLU)
	r.conv1.apply(o, g, h, c.grid)
	r.norm2.apply(o, g, g, tensor.SiLU)
	r.conv2.apply(o, h, g, c.grid)
	o.GatedAdd(x, h, tensor.Tensor{})
}

// change gives the picture another number of channels. The shortcut is taken
// first, so that the rest can overwrite the picture.
func (r *resnet) change(o tensor.Ops, c *canvas) {
	x, h, short := c.x(), cut(c.work, c.grid, r.out), cut(c.side, c.grid, r.out)
	r.shortcut.apply(o, short, x)
	r.norm1.apply(o, x, x, tensor.SiLU)
	r.conv1.apply(o, h, x, c.grid)
	r.norm2.apply(o, h, h, tensor.SiLU)
	c.width = r.out
	r.conv2.apply(o, c.x(), h, c.grid)
	o.GatedAdd(c.x(), short, tensor.Tensor{})
}
