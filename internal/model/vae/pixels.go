package vae

import (
	"image"
	"math"

	"taca/internal/tensor"
)

// Pixels is the picture of decoded rows: one row per pixel of grid, red, green
// and blue from -1 to 1. What lies outside is clamped, and rounding is to
// even, as in diffusers' VaeImageProcessor. What is not a number is black.
func Pixels(rows []float32, grid tensor.Grid) *image.NRGBA {
	picture := image.NewNRGBA(image.Rect(0, 0, grid.Width, grid.Height))
	for i := range grid.Rows() {
		at := picture.Pix[4*i : 4*i+4]
		for c := range colours {
			at[c] = level(rows[colours*i+c])
		}
		at[3] = 255
	}
	return picture
}

// Values is a picture as an encoder takes it: one row per pixel, red, green and
// blue from -1 to 1, with the 32-bit roundings of the reference's
// VaeImageProcessor. Its opacity is ignored.
func Values(picture *image.RGBA) []float32 {
	size := picture.Bounds().Size()
	rows := make([]float32, 0, colours*size.X*size.Y)
	for y := range size.Y {
		line := picture.Pix[y*picture.Stride:]
		for x := range size.X {
			for _, v := range line[4*x : 4*x+colours] {
				rows = append(rows, 2*(float32(v)/255)-1)
			}
		}
	}
	return rows
}

// level is the byte of one colour, with the reference's 32-bit roundings.
func level(v float32) uint8 {
	v = v/2 + 0.5
	switch {
	case v >= 1:
		return 255
	case v > 0:
		return uint8(math.RoundToEven(float64(v * 255)))
	}
	return 0
}
