package sd3

import (
	"fmt"

	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// patches embeds the latents: a convolution over patches that do not overlap,
// which is a Linear layer over token rows, and a learned place for each token.
type patches struct {
	project nn.Linear     // d × (y, x, channel)
	places  tensor.Tensor // most² × d, row-major
	most    int           // patches along each side
}

func (p *patches) bind(w *nn.Binder, c Config) {
	d := c.Width()
	w.Patches(&p.project, "proj", d, c.Channels, c.Patch)
	p.most = c.MostPatches
	w.Shaped(&p.places, "pos_embed", []int{1, p.most * p.most, d}, p.most*p.most, d, nil)
}

// forward writes the embedding of latents x, one row per patch of grid.
func (p *patches) forward(o tensor.Ops, dst, x tensor.Tensor, grid tensor.Grid) {
	defer o.Release(o.Mark())
	place := o.Scratch(dst.Rows, dst.Cols, dst.DType)
	p.project.Apply(o, dst, x, tensor.Identity)
	o.Gather(place, p.places, p.centre(grid))
	o.GatedAdd(dst, place, tensor.Tensor{})
	o.Observe("pos_embed", dst)
}

// centre is the rows of places that an image of this size occupies: the
// middle of the largest image.
func (p *patches) centre(grid tensor.Grid) []int32 {
	top, left := (p.most-grid.Height)/2, (p.most-grid.Width)/2
	ids := make([]int32, 0, grid.Rows())
	for y := range grid.Height {
		for x := range grid.Width {
			ids = append(ids, int32((top+y)*p.most+left+x))
		}
	}
	return ids
}

// accept refuses images that are larger than the largest.
func (p *patches) accept(grid tensor.Grid) error {
	if grid.Height > p.most || grid.Width > p.most {
		return fmt.Errorf("sd3 transformer: an image of %d×%d tokens is too large, this model has places for %d×%d: "+
			"choose a smaller size",
			grid.Width, grid.Height, p.most, p.most)
	}
	return nil
}
