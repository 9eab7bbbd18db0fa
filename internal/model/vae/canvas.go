package vae

import "taca/internal/tensor"

// canvas is the picture while the decoder works on it. A picture of a
// megapixel with 256 channels fills a gigabyte, so all layers share two sheets
// of scratch memory: the picture lies on one of them, and what a layer makes
// on its way to the next goes to the other.
type canvas struct {
	sheets [2]tensor.Tensor // memory
	front  int              // the sheet the picture is on
	start  int              // its first element there
	grid   tensor.Grid
	width  int // channels of the picture at the moment
	bands  banding
}

// newCanvas takes scratch memory for latents of the given grid on their way
// through c's blocks.
func newCanvas(o tensor.Ops, c Config, grid tensor.Grid, d tensor.DType, bands banding) *canvas {
	need := sheetSizes(c, grid, bands)
	return &canvas{
		sheets: [2]tensor.Tensor{o.Scratch(1, need[0], d), o.Scratch(1, need[1], d)},
		grid:   grid, width: c.Widths[len(c.Widths)-1], bands: bands,
	}
}

// sheetSizes is how many elements the layers put on each sheet, found by the
// same walk that forward does.
func sheetSizes(c Config, grid tensor.Grid, bands banding) (need [2]int) {
	front, in := 0, c.Widths[len(c.Widths)-1]
	lay := func(sheet, elements int) { need[sheet] = max(need[sheet], elements) }
	lay(0, grid.Rows()*in)
	lay(1, attentionSheets*grid.Rows()*in)
	lay(1, grid.Rows()*in+bands.margin(grid, in, in))
	for i := len(c.Widths) - 1; i >= 0; i-- {
		out := c.Widths[i]
		if out != in {
			lay(front, grid.Rows()*in+bands.margin(grid, in, out))
			lay(front, grid.Rows()*out+bands.margin(grid, out, out))
			lay(1-front, grid.Rows()*out)
			front = 1 - front
		}
		lay(1-front, grid.Rows()*out+bands.margin(grid, out, out))
		if i > 0 {
			grid, front = grid.Twice(), 1-front
			lay(front, grid.Rows()*out+bands.margin(grid, out, c.Widths[i-1]))
		}
		in = out
	}
	return need
}

// x is the picture: one row per pixel.
func (c *canvas) x() tensor.Tensor { return cut(c.sheets[c.front], c.start, c.grid, c.width) }

// spare is a picture of the given width on the sheet behind, from element
// start on.
func (c *canvas) spare(start, width int) tensor.Tensor {
	return cut(c.sheets[1-c.front], start, c.grid, width)
}

// turn makes what spare(start, width) was the picture.
func (c *canvas) turn(start, width int) {
	c.front, c.start, c.width = 1-c.front, start, width
}

// cut is a piece of the memory of t as a picture.
func cut(t tensor.Tensor, start int, grid tensor.Grid, width int) tensor.Tensor {
	t.Offset, t.Rows, t.Cols, t.Stride = t.Offset+start, grid.Rows(), width, width
	return t
}
