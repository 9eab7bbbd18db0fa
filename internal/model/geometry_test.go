package model_test

import (
	"slices"
	"testing"

	"taca/internal/model"
)

// count is 0, 1, ..., n−1.
func count(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(i)
	}
	return out
}

// TestPack holds both orders of a token's columns against einops' words:
// "c (h 2) (w 2) -> (h w) (c 2 2)" for FLUX, "... -> (h w) (2 2 c)" for SD3.
func TestPack(t *testing.T) {
	latents := count(2 * 2 * 4) // 2 channels of 2×4
	for _, c := range []struct {
		last bool
		want []float32
	}{
		{true, []float32{0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15}},
		{false, []float32{0, 8, 1, 9, 4, 12, 5, 13, 2, 10, 3, 11, 6, 14, 7, 15}},
	} {
		g := model.Geometry{Downscale: 8, Patch: 2, Channels: 2, PatchLast: c.last}
		if got := g.Pack(latents, g.Patches(32, 16)); !slices.Equal(got, c.want) {
			t.Errorf("PatchLast %v: %v, want %v", c.last, got, c.want)
		}
	}
}

func TestUnpackIsTheInverse(t *testing.T) {
	for _, g := range []model.Geometry{
		{Downscale: 8, Patch: 2, Channels: 16, PatchLast: true},
		{Downscale: 8, Patch: 2, Channels: 16},
		{Downscale: 4, Patch: 3, Channels: 5, PatchLast: true},
		{Downscale: 1, Patch: 1, Channels: 3},
	} {
		patches := g.Patches(5*g.Unit(), 3*g.Unit())
		if patches.Width != 5 || patches.Height != 3 {
			t.Fatalf("%+v: %v patches, want 3×5", g, patches)
		}
		latents := count(patches.Rows() * g.PatchColumns())
		if size := g.Latent(patches); size.Rows()*g.Channels != len(latents) {
			t.Errorf("%+v: latents of %v do not hold %d values", g, size, len(latents))
		}
		rows := g.Pack(latents, patches)
		if g.Patch > 1 && slices.Equal(rows, latents) {
			t.Errorf("%+v: Pack moves nothing", g)
		}
		if back := g.Unpack(rows, patches); !slices.Equal(back, latents) {
			t.Errorf("%+v: Unpack does not give back what was packed", g)
		}
	}
}
