package sweep

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"os"

	"golang.org/x/image/draw"
)

// readPicture reads a cell's PNG.
func readPicture(path string) (*image.NRGBA, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, told("read", path, err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: remove it, and run the sweep again", path, err)
	}
	rgba := image.NewNRGBA(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(rgba, rgba.Bounds(), img, img.Bounds().Min, draw.Src)
	return rgba, nil
}

// fitted is img no larger than side along both sides.
func fitted(img *image.NRGBA, side int) *image.NRGBA {
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	longest := max(w, h)
	if longest <= side {
		return img
	}
	small := image.NewNRGBA(image.Rect(0, 0, max(1, w*side/longest), max(1, h*side/longest)))
	draw.CatmullRom.Scale(small, small.Bounds(), img, img.Bounds(), draw.Src, nil)
	return small
}

// asJPEG is img for the page.
func asJPEG(img image.Image) ([]byte, error) {
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90})
	return b.Bytes(), err
}

// difference is the root mean square over all pixels and colours of what
// differs, in steps of 255.
func difference(a, b *image.NRGBA) (float64, error) {
	if a.Bounds() != b.Bounds() {
		return 0, errors.New("two cells of a sweep have pictures of different size")
	}
	sum := 0
	for i := range a.Pix {
		if i%4 != 3 { // opacity
			d := int(a.Pix[i]) - int(b.Pix[i])
			sum += d * d
		}
	}
	return math.Sqrt(float64(sum) / float64(len(a.Pix)/4*3)), nil
}
