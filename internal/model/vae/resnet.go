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
	x, room := c.x(), c.bands.margin(c.grid, r.in, r.out)
	normed, h := c.spare(room, r.in), c.spare(0, r.out)
	r.norm1.apply(o, normed, x, tensor.SiLU)
	r.conv1.slide(o, c, h, func(b band) tensor.Tensor { return lines(normed, c.grid, b.from, b.upto) })
	r.norm2.apply(o, h, h, tensor.SiLU)
	r.conv2.add(o, c, x, h, c.spare(c.grid.Rows()*r.out, r.out))
}

// change gives the picture another number of channels. The shortcut is taken
// first, so that the rest can overwrite the picture.
func (r *resnet) change(o tensor.Ops, c *canvas) {
	x, short := c.x(), c.spare(0, r.out)
	r.shortcut.apply(o, short, x)
	r.norm1.apply(o, x, x, tensor.SiLU)
	sheet := c.sheets[c.front]
	h := cut(sheet, 0, c.grid, r.out)
	r.conv1.slide(o, c, h, func(b band) tensor.Tensor { return lines(x, c.grid, b.from, b.upto) })
	r.norm2.apply(o, h, h, tensor.SiLU)
	r.conv2.add(o, c, short, h, cut(sheet, c.grid.Rows()*r.out, c.grid, r.out))
	c.turn(0, r.out)
}
