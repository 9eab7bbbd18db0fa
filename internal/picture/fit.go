package picture

import (
	"image"

	"golang.org/x/image/draw"
)

// Fit scales img until it covers width × height, and crops the middle.
func Fit(img *image.RGBA, width, height int) *image.RGBA {
	size := img.Bounds().Size()
	part := size
	if size.X*height > size.Y*width {
		part.X = max(1, (size.Y*width+height/2)/height)
	} else {
		part.Y = max(1, (size.X*height+width/2)/width)
	}
	from := image.Rectangle{Max: part}.Add(size.Sub(part).Div(2)).Add(img.Bounds().Min)
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	if part == out.Bounds().Size() {
		draw.Draw(out, out.Bounds(), img, from.Min, draw.Src)
		return out
	}
	draw.CatmullRom.Scale(out, out.Bounds(), img, from, draw.Src, nil)
	return out
}

// Grey is how light each pixel of img is.
func Grey(img *image.RGBA) *image.Gray {
	out := image.NewGray(img.Bounds())
	draw.Draw(out, out.Bounds(), img, img.Bounds().Min, draw.Src)
	return out
}
