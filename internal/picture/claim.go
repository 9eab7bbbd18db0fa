package picture

import (
	"encoding/binary"
	"image"
)

// A decoder takes memory for the size that a file says before it reads a pixel,
// so a size that the bytes of the file cannot be is refused before that.
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

// holdsWebP looks at the size that the file says of itself, less what may pad it:
// the decoder takes memory for its parts, too. Of pixels there is only
// mostPixels, since any number of equal ones may be no bits at all.
func holdsWebP(data []byte, _ image.Config) bool {
	const head, padding = 8, 1
	return head+int64(binary.LittleEndian.Uint32(data[4:])) <= int64(len(data)+padding)
}
