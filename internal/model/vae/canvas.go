package vae

import "taca/internal/tensor"

// canvas is the picture while the encoder or the decoder works on it. A picture
// of a megapixel with 256 channels fills a gigabyte, so all layers share two
// sheets of scratch memory: the picture lies on one of them, and what a layer
// makes on its way to the next goes to the other.
type canvas struct {
	sheets [2]tensor.Tensor // memory
	front  int              // the sheet the picture is on
	start  int              // its first element there
	grid   tensor.Grid
	width  int // channels of the picture at the moment
	bands  banding
}

// newCanvas takes scratch memory of so many elements a sheet for a picture of
// the given grid, which begins with width channels.
func newCanvas(o tensor.Ops, need [2]int, grid tensor.Grid, width int, d tensor.DType, bands banding) *canvas {
	return &canvas{
		sheets: [2]tensor.Tensor{o.Scratch(1, need[0], d), o.Scratch(1, need[1], d)},
		grid:   grid, width: width, bands: bands,
	}
}

// decoderSheets is how many elements the decoder's layers put on each sheet for
// latents of the given grid, found by the same walk that forward does.
func decoderSheets(c Config, grid tensor.Grid, bands banding) (need [2]int) {
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

// encoderSheets is decoderSheets of the encoder, for a picture of the given grid.
func encoderSheets(c Config, grid tensor.Grid, bands banding) (need [2]int) {
	front, in := 0, c.Widths[0]
	lay := func(sheet, elements int) { need[sheet] = max(need[sheet], elements) }
	lay(0, grid.Rows()*in)
	for i, out := range c.Widths {
		if out != in {
			lay(front, grid.Rows()*in+bands.margin(grid, in, out))
			lay(front, grid.Rows()*out+bands.margin(grid, out, out))
			lay(1-front, grid.Rows()*out)
			front = 1 - front
		}
		if out == in || c.LayersPerBlock > 1 {
			lay(1-front, grid.Rows()*out+bands.margin(grid, out, out))
		}
		if i+1 < len(c.Widths) {
			kept := half(grid).Rows()*out + bands.margin(half(grid), out, c.Widths[i+1])
			lay(1-front, kept+bands.margin(grid, out, out))
			grid, front = half(grid), 1-front
		}
		in = out
	}
	lay(1-front, attentionSheets*grid.Rows()*in)
	lay(1-front, grid.Rows()*in+bands.margin(grid, in, in))
	return need
}

// half is the grid of every other line and column.
func half(g tensor.Grid) tensor.Grid { return tensor.Grid{Height: g.Height / 2, Width: g.Width / 2} }

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
