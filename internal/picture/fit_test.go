package picture_test

import (
	"bytes"
	"image"
	"image/color"
	"testing"

	"taca/internal/picture"
)

// stripes is a picture whose colour at (x, y) tells where that is.
func stripes(width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetRGBA(x, y, color.RGBA{R: uint8(255 * x / width), G: uint8(255 * y / height), A: 255})
		}
	}
	return img
}

// TestFitCropsTheMiddle where nothing is to be scaled, pixel by pixel.
func TestFitCropsTheMiddle(t *testing.T) {
	img := stripes(50, 30)
	for _, c := range []struct {
		width, height int
		corner        image.Point
	}{{50, 30, image.Pt(0, 0)}, {20, 30, image.Pt(15, 0)}, {50, 10, image.Pt(0, 10)}} {
		got := picture.Fit(img, c.width, c.height)
		for y := range c.height {
			row := img.Pix[img.PixOffset(c.corner.X, c.corner.Y+y):][:4*c.width]
			if !bytes.Equal(got.Pix[got.PixOffset(0, y):][:4*c.width], row) {
				t.Errorf("%d×%d: line %d is not that at %v", c.width, c.height, y, c.corner)
				break
			}
		}
	}
}

// TestFitCovers: proportions stay, what sticks out is cut off evenly.
func TestFitCovers(t *testing.T) {
	near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= 6 }
	for _, c := range []struct{ width, height, left, top int }{ // of 255
		{40, 40, 64, 0}, {16, 64, 112, 0}, {80, 10, 0, 96}, {160, 80, 0, 0}, {320, 160, 0, 0},
	} {
		got := picture.Fit(stripes(160, 80), c.width, c.height)
		if got.Bounds() != image.Rect(0, 0, c.width, c.height) || !got.Opaque() {
			t.Fatalf("%v, want %d×%d", got.Bounds(), c.width, c.height)
		}
		first, last := got.RGBAAt(0, 0), got.RGBAAt(c.width-1, c.height-1)
		if !near(first.R, uint8(c.left)) || !near(first.G, uint8(c.top)) || !near(last.R, uint8(255-c.left)) || !near(last.G, uint8(255-c.top)) {
			t.Errorf("%d×%d goes from %v to %v, want %d, %d off the borders", c.width, c.height, first, last, c.left, c.top)
		}
	}
	if got := picture.Fit(stripes(1, 1000), 1000, 1); got.Bounds().Dx() != 1000 {
		t.Errorf("%v", got.Bounds())
	}
}

func TestGrey(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 3, 1))
	img.SetRGBA(0, 0, color.RGBA{255, 255, 255, 255})
	img.SetRGBA(1, 0, color.RGBA{0, 0, 0, 255})
	img.SetRGBA(2, 0, color.RGBA{200, 100, 50, 255})
	if got := picture.Grey(img); !bytes.Equal(got.Pix, []byte{255, 0, 124}) { // 0.299, 0.587 and 0.114 of them
		t.Errorf("%v", got.Pix)
	}
}
