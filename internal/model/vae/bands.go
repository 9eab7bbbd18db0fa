package vae

import "taca/internal/tensor"

// Convolutions of large pictures are done in bands of lines. So the result of
// one may be written over its operand: it begins a margin before it, and what a
// band writes has been read. A band is computed with a line more on either
// side, whose results are wrong for want of their neighbours and are thrown
// away; all others are what an undivided convolution gives, bit by bit.

// banding is how many elements a band has at least.
type banding int

const (
	// usualBands keeps the memory that bands take small against a picture of a
	// megapixel, and the lines that are computed twice some 2 % of all.
	usualBands banding = 1 << 24
	// bandShare is the share that a band of a larger picture has of it.
	bandShare = 16
	// around is how many lines more than its own a band may look at: one on
	// either side, two of an upsampled picture.
	around = 4
)

// lines is how many lines of a picture make a band: an even number, since
// upsampled lines come in pairs, or all.
func (n banding) lines(grid tensor.Grid, width int) int {
	most := max(int(n), grid.Rows()*width/bandShare) / (grid.Width * width)
	return min(max(2, most&^1), grid.Height)
}

// margin is how many elements a picture of width in begins behind another of
// width out that is made of it band by band. A band of either fits in there.
func (n banding) margin(grid tensor.Grid, in, out int) int {
	most := 0
	for _, width := range []int{in, out} {
		lines := min(n.lines(grid, width)+around, grid.Height)
		most = max(most, lines*grid.Width*max(in, out))
	}
	return most + max(0, grid.Rows()*(out-in))
}

// band is lines lo to hi, made from the lines from to upto.
type band struct{ lo, hi, from, upto int }

// of cuts the lines of a picture.
func (n banding) of(grid tensor.Grid, width int) []band {
	var all []band
	for lo, each := 0, n.lines(grid, width); lo < grid.Height; lo += each {
		hi := min(lo+each, grid.Height)
		all = append(all, band{lo, hi, max(lo-1, 0), min(hi+1, grid.Height)})
	}
	return all
}

// size is the grid of the lines that b looks at.
func (b band) size(grid tensor.Grid) tensor.Grid {
	return tensor.Grid{Height: b.upto - b.from, Width: grid.Width}
}

// lines is lines lo to hi of a picture.
func lines(t tensor.Tensor, grid tensor.Grid, lo, hi int) tensor.Tensor {
	return t.RowRange(lo*grid.Width, hi*grid.Width)
}

// slide writes to dst the convolution of the picture whose lines x gives,
// which may lie a margin behind it in the same memory.
func (v *conv) slide(o tensor.Ops, c *canvas, dst tensor.Tensor, x func(b band) tensor.Tensor) {
	defer o.Release(o.Mark())
	var kept tensor.Tensor
	for i, b := range c.bands.of(c.grid, dst.Cols) {
		operand, before := x(b), lines(dst, c.grid, b.from, b.lo)
		if i == 1 {
			kept = o.Scratch(c.grid.Width, dst.Cols, dst.DType)
		}
		if i > 0 { // the band writes wrong results over its neighbour's last line
			o.Copy(kept, before)
		}
		v.apply(o, lines(dst, c.grid, b.from, b.upto), operand, b.size(c.grid))
		if i > 0 {
			o.Copy(before, kept)
		}
	}
}

// add adds to dst the convolution of x; work has room for a margin.
func (v *conv) add(o tensor.Ops, c *canvas, dst, x, work tensor.Tensor) {
	for _, b := range c.bands.of(c.grid, dst.Cols) {
		size := b.size(c.grid)
		found := cut(work, 0, size, dst.Cols)
		v.apply(o, found, lines(x, c.grid, b.from, b.upto), size)
		o.GatedAdd(lines(dst, c.grid, b.lo, b.hi), lines(found, c.grid, b.lo-b.from, b.hi-b.from), tensor.Tensor{})
	}
}
