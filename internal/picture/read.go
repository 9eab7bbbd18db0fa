package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// format is a kind of picture file.
type format struct {
	name   string
	is     func(data []byte) bool
	config func(io.Reader) (image.Config, error)
	holds  func(data []byte, c image.Config) bool // whether it can be as large as it says
	decode func(io.Reader) (image.Image, error)
	exif   func(data []byte) []byte // the block that cameras write, or nil
}

var formats = []format{
	{"PNG", begins(signature), png.DecodeConfig, holdsPNG, png.Decode, exifOfPNG},
	{"JPEG", begins("\xff\xd8\xff"), jpeg.DecodeConfig, holdsJPEG, jpeg.Decode, exifOfJPEG},
	{"WebP", isWebP, webp.DecodeConfig, holdsWebP, decodeWebP, exifOfWebP},
}

func begins(with string) func([]byte) bool {
	return func(data []byte) bool { return bytes.HasPrefix(data, []byte(with)) }
}

func isWebP(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP"
}

// Read is the picture in a PNG, JPEG or WebP file, upright as the camera says,
// 8 bits a colour, before a background where it is transparent. Colour profiles
// are ignored.
func Read(data []byte, behind color.Color) (*image.RGBA, error) {
	for _, f := range formats {
		if f.is(data) {
			img, err := f.read(data)
			if err != nil {
				return nil, err
			}
			opaque := image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()})
			draw.Draw(opaque, opaque.Bounds(), image.NewUniform(behind), image.Point{}, draw.Src)
			draw.Draw(opaque, opaque.Bounds(), img, img.Bounds().Min, draw.Over)
			return upright(opaque, orientation(f.exif(data))), nil
		}
	}
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	return nil, errors.New("it is neither a PNG, a JPEG nor a WebP file")
}

// read decodes data once its size is known to be sound.
func (f format) read(data []byte) (image.Image, error) {
	c, err := f.config(bytes.NewReader(data))
	if err != nil {
		return nil, f.damaged(err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > mostPixels/c.Height {
		return nil, fmt.Errorf("it says that it is %d×%d, and at most %d million pixels are read: make it smaller", c.Width, c.Height, mostPixels/1_000_000)
	}
	if !f.holds(data, c) {
		return nil, fmt.Errorf("the %s file says that it is %d×%d, for which its %d bytes are too few: it is damaged or cut short", f.name, c.Width, c.Height, len(data))
	}
	img, err := f.decode(bytes.NewReader(data))
	if err != nil {
		return nil, f.damaged(err)
	}
	if got := img.Bounds().Size(); got != image.Pt(c.Width, c.Height) {
		return nil, f.damaged(fmt.Errorf("it says that it is %d×%d and is %d×%d", c.Width, c.Height, got.X, got.Y))
	}
	return img, nil
}

func (f format) damaged(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("the %s file ends early: it was cut short", f.name)
	}
	return fmt.Errorf("the %s file is damaged or cut short, or of a kind that is not read: %w", f.name, err)
}
