package pipeline

import (
	"image"

	"taca/internal/model"
	"taca/internal/sampler"
)

// Original is a picture to start from, of the request's size.
type Original struct {
	Picture *image.RGBA // opaque
	Mask    *image.Gray // white is painted anew, black stays; nil: all is painted
}

// white is the darkest level of a mask that counts as white, as in diffusers'
// VaeImageProcessor.
const white = 128

// painted is the mask brought to the latents, which lie in the order (channel, y,
// x): 1 where they are painted anew, else 0. Of the pixels behind a latent one the
// first counts, as in diffusers.
func (o *Original) painted(g model.Geometry) []float32 {
	size := o.Mask.Bounds().Size().Div(g.Downscale)
	out := make([]float32, 0, g.Channels*size.X*size.Y)
	for range g.Channels {
		for y := range size.Y {
			for x := range size.X {
				v := float32(0)
				if o.Mask.Pix[y*g.Downscale*o.Mask.Stride+x*g.Downscale] >= white {
					v = 1
				}
				out = append(out, v)
			}
		}
	}
	return out
}

// skipped is how many of r's steps are left out.
func (r Request) skipped() int {
	if r.Original == nil {
		return 0
	}
	return sampler.Skipped(r.Steps, r.Strength)
}

// kept is how many matrices of the latents' size restore what stays.
func (r Request) kept() int {
	if r.Original == nil || r.Original.Mask == nil {
		return 0
	}
	return 4
}

// checkOriginal refuses what cannot be started from, as a *UsageError.
func (r Request) checkOriginal() error {
	if r.Original == nil {
		return nil
	}
	want := image.Pt(r.Width, r.Height)
	switch got := r.Original.Picture.Bounds().Size(); {
	case !(r.Strength > 0 && r.Strength <= 1):
		return usage("strength %g: must be above 0, which would leave the picture as it is, and at most 1, which leaves nothing of it", r.Strength)
	case r.skipped() >= r.Steps:
		return usage("strength %g: none of %d steps is left", r.Strength, r.Steps)
	case got != want:
		return usage("the picture to start from is %d×%d, not %d×%d", got.X, got.Y, r.Width, r.Height)
	case r.Original.Mask != nil:
		if got := r.Original.Mask.Bounds().Size(); got != want {
			return usage("the mask is %d×%d, not %d×%d", got.X, got.Y, r.Width, r.Height)
		}
	}
	return nil
}

// checkMask refuses a mask that leaves nothing to do.
func (r Request) checkMask(g model.Geometry) error {
	if r.Original == nil || r.Original.Mask == nil {
		return nil
	}
	for _, v := range r.Original.painted(g) {
		if v > 0 {
			return nil
		}
	}
	return usage("the mask is black: nothing would be painted; white is painted anew")
}
