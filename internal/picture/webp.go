package picture

import (
	"image"
	"image/color"
	"io"

	"golang.org/x/image/webp"
)

// decodeWebP is webp.Decode with the colours that lossy files mean. Their luma
// goes from 16 to 235 (RFC 6386, section 9.2), but the library gives it the type
// of JPEG's, which goes from 0 to 255: read so, black would be dark grey.
func decodeWebP(r io.Reader) (image.Image, error) {
	img, err := webp.Decode(r)
	switch lossy := img.(type) {
	case *image.YCbCr:
		return studio(lossy, func(int, int) uint8 { return 255 }), err
	case *image.NYCbCrA:
		return studio(&lossy.YCbCr, func(x, y int) uint8 { return lossy.A[lossy.AOffset(x, y)] }), err
	}
	return img, err
}

func studio(img *image.YCbCr, alpha func(x, y int) uint8) *image.NRGBA {
	out := image.NewNRGBA(img.Bounds())
	for y := out.Rect.Min.Y; y < out.Rect.Max.Y; y++ {
		for x := out.Rect.Min.X; x < out.Rect.Max.X; x++ {
			at := img.COffset(x, y)
			c := studioColour(img.Y[img.YOffset(x, y)], img.Cb[at], img.Cr[at])
			c.A = alpha(x, y)
			out.SetNRGBA(x, y, c)
		}
	}
	return out
}

// studioColour is BT.601's, in the fixed point of libwebp (src/dsp/yuv.h).
func studioColour(luma, cb, cr uint8) color.NRGBA {
	high := func(v uint8, factor int) int { return int(v) * factor >> 8 }
	byteOf := func(v int) uint8 { return uint8(min(max(v>>6, 0), 255)) }
	y := high(luma, 19077)
	return color.NRGBA{
		R: byteOf(y + high(cr, 26149) - 14234),
		G: byteOf(y - high(cb, 6419) - high(cr, 13320) + 8708),
		B: byteOf(y + high(cb, 33050) - 17685),
	}
}
