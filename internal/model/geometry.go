package model

import "taca/internal/tensor"

// Geometry relates an image to its latents and the latents to visual tokens.
type Geometry struct {
	Downscale int  // image pixels per latent pixel, along each side
	Patch     int  // latent pixels per token, along each side
	Channels  int  // channels of a latent pixel
	PatchLast bool // columns of a token: (channel, y, x) if true, as FLUX; (y, x, channel) if false, as SD3
}

// Unit is the number of image pixels along each side of a token; sizes of
// images must be multiples of it.
func (g Geometry) Unit() int { return g.Downscale * g.Patch }

// Patches is the grid of tokens of an image.
func (g Geometry) Patches(width, height int) tensor.Grid {
	return tensor.Grid{Height: height / g.Unit(), Width: width / g.Unit()}
}

// Latent is the grid of latent pixels behind a grid of patches.
func (g Geometry) Latent(patches tensor.Grid) tensor.Grid {
	return tensor.Grid{Height: patches.Height * g.Patch, Width: patches.Width * g.Patch}
}

// PatchColumns is the number of values of one token.
func (g Geometry) PatchColumns() int { return g.Channels * g.Patch * g.Patch }

// Pack turns latents in the order (channel, y, x), as diffusers keeps them,
// into token rows of the given grid of patches.
func (g Geometry) Pack(chw []float32, patches tensor.Grid) []float32 {
	rows := make([]float32, len(chw))
	g.walk(patches, func(row, plane int) { rows[row] = chw[plane] })
	return rows
}

// Unpack is the inverse of Pack.
func (g Geometry) Unpack(rows []float32, patches tensor.Grid) []float32 {
	chw := make([]float32, len(rows))
	g.walk(patches, func(row, plane int) { chw[plane] = rows[row] })
	return chw
}

// walk visits every latent value with its index in token rows and in planes.
func (g Geometry) walk(patches tensor.Grid, visit func(row, plane int)) {
	size, p := g.Latent(patches), g.Patch
	for c := range g.Channels {
		for y := range size.Height {
			for x := range size.Width {
				token := y/p*patches.Width + x/p
				within := y%p*p + x%p
				column := within*g.Channels + c
				if g.PatchLast {
					column = c*p*p + within
				}
				visit(token*g.PatchColumns()+column, (c*size.Height+y)*size.Width+x)
			}
		}
	}
}
