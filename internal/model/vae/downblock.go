package vae

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// downBlock is a block of the encoder, after which the picture has half as many
// lines and columns; the last one leaves its size.
type downBlock struct{ resizing }

func (b *downBlock) bind(w *nn.Binder, out, in, next int, c Config) {
	b.resizing.bind(w, out, in, next, c.LayersPerBlock, c.Groups, "downsamplers.0.conv")
}

func (b *downBlock) forward(o tensor.Ops, c *canvas) { b.resizing.forward(o, c, b.shrink) }

// shrink makes the picture half as large on the other sheet, a margin behind its
// beginning, as the next block needs it.
//
// The reference's convolution has stride 2, and a border below and to the right
// alone: its pixel (y, x) is what a convolution of stride 1, with a border all
// around, has at (2y+1, 2x+1). So bands are convolved and every other pixel of
// every other line is kept. Three quarters of that work are thrown away, 12 % of
// the encoder's.
func (b *downBlock) shrink(o tensor.Ops, c *canvas) {
	x, small := c.x(), half(c.grid)
	room := c.bands.margin(small, c.width, b.next)
	kept := cut(c.sheets[1-c.front], room, small, c.width)
	work := room + small.Rows()*c.width
	for _, at := range c.bands.of(c.grid, c.width) {
		size := at.size(c.grid)
		found := cut(c.sheets[1-c.front], work, size, c.width)
		b.conv.apply(o, found, lines(x, c.grid, at.from, at.upto), size)
		for y := at.lo + 1; y < at.hi; y += 2 {
			o.Copy(lines(kept, small, y/2, y/2+1), odd(lines(found, c.grid, y-at.from, y-at.from+1)))
		}
	}
	c.turn(room, c.width)
	c.grid = small
}

// odd is every other pixel of a line, the second first.
func odd(line tensor.Tensor) tensor.Tensor {
	line.Offset += line.Stride
	line.Rows, line.Stride = line.Rows/2, 2*line.Stride
	return line
}
