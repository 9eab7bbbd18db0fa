package picture

import "image"

// A decoder takes memory for the size that a file says before it reads a pixel,
// so a size that the bytes of the file cannot be is refused before that. WebP
// codes any number of equal pixels in no bits at all: of it there is only
// mostPixels.
const (
	// mostPixels bounds what is decoded.
	mostPixels = 64_000_000
	// deflateRatio is the most bytes that one of deflate's becomes: copies of
	// 258 for two bits (RFC 1951, 3.2.5).
	deflateRatio = 1032
	// jpegPixels is the most of them that a byte of JPEG codes: eight blocks of
	// 8×8, whose means take a bit each (ITU-T T.81, F.1.2.1).
	jpegPixels = 8 * 64
)

// holdsPNG reports whether data is long enough for what its header says, whose
// bits a sample and kind of colour are at fixed places.
func holdsPNG(data []byte, c image.Config) bool {
	samples := map[byte]int{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[data[25]]
	return c.Width*c.Height/8*int(data[24])*samples/deflateRatio <= len(data)
}

func holdsJPEG(data []byte, c image.Config) bool { return c.Width*c.Height/jpegPixels <= len(data) }

func holdsWebP([]byte, image.Config) bool { return true }
