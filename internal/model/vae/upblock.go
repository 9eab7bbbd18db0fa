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
	next    int // channels of the block that follows; 0 after the last
	path    string
}

func (b *upBlock) bind(w *nn.Binder, out, in, next int, c Config) {
	b.path, b.next = w.Path(""), next
	b.resnets = make([]resnet, c.LayersPerBlock+1)
	for i := range b.resnets {
		b.resnets[i].bind(w.In(fmt.Sprintf("resnets.%d", i)), out, in, c.Groups)
		in = out
	}
	if !b.last() {
		b.conv.bind(w, "upsamplers.0.conv", out, out)
	}
}

func (b *upBlock) last() bool { return b.next == 0 }

func (b *upBlock) forward(o tensor.Ops, c *canvas) {
	for i := range b.resnets {
		b.resnets[i].forward(o, c)
	}
	if !b.last() {
		b.enlarge(o, c)
	}
	o.Observe(b.path, c.x())
}

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
