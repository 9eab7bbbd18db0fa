package vae

import "taca/internal/tensor"

// canvas is the picture while the decoder works on it, and two spare sheets.
// A picture of a megapixel with 256 channels fills a gigabyte, so all layers
// share three pieces of scratch memory, which are cut to size for each: layers
// leave their result where they found their operand.
type canvas struct {
	image, work, side tensor.Tensor // memory
	grid              tensor.Grid
	width             int // channels of the picture at the moment
}

// newCanvas takes scratch memory for latents of the given grid on their way
// through c's blocks.
func newCanvas(o tensor.Ops, c Config, grid tensor.Grid, d tensor.DType) *canvas {
	var most, side int
	in := c.Widths[len(c.Widths)-1]
	for size, i := grid, len(c.Widths)-1; i >= 0; size, i = size.Twice(), i-1 {
		out := c.Widths[i]
		most = max(most, size.Rows()*max(in, out))
		side = max(side, size.Rows()*out)
		in = out
	}
	return &canvas{
		image: o.Scratch(1, most, d), work: o.Scratch(1, most, d), side: o.Scratch(1, side, d),
		grid: grid, width: c.Widths[len(c.Widths)-1],
	}
}

// x is the picture: one row per pixel.
func (c *canvas) x() tensor.Tensor { return cut(c.image, c.grid, c.width) }

// cut is the first of the memory of t as a picture.
func cut(t tensor.Tensor, grid tensor.Grid, width int) tensor.Tensor {
	t.Rows, t.Cols, t.Stride = grid.Rows(), width, width
	return t
}
