package vae

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// upBlock is a block after which the picture is twice as large; the last one
// leaves its size.
type upBlock struct{ resizing }

func (b *upBlock) bind(w *nn.Binder, out, in, next int, c Config) {
	b.resizing.bind(w, out, in, next, c.LayersPerBlock+1, c.Groups, "upsamplers.0.conv")
}

func (b *upBlock) forward(o tensor.Ops, c *canvas) { b.resizing.forward(o, c, b.enlarge) }

// enlarge makes the picture twice as large on the other sheet, a margin behind
// its beginning: the next block may write there before it has read all. Until
// then bands of the repeated pixels are there, which the convolution reads.
func (b *upBlock) enlarge(o tensor.Ops, c *canvas) {
	small, half := c.x(), c.grid
	c.grid = c.grid.Twice()
	room := c.bands.margin(c.grid, c.width, b.next)
	b.conv.slide(o, c, c.spare(room, c.width), func(at band) tensor.Tensor {
		lo, hi := at.from/2, (at.upto+1)/2
		size := tensor.Grid{Height: hi - lo, Width: half.Width}
		wide := cut(c.spare(0, c.width), 0, size.Twice(), c.width)
		o.Upsample2x(wide, lines(small, half, lo, hi), size)
		return lines(wide, c.grid, at.from-2*lo, at.upto-2*lo)
	})
	c.turn(room, c.width)
}
