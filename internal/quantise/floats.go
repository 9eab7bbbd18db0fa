package quantise

import (
	"encoding/binary"
	"math"
)

func toF32(dst []byte, row []float32) {
	for k, v := range row {
		binary.LittleEndian.PutUint32(dst[4*k:], math.Float32bits(v))
	}
}

// toBF16 rounds to nearest, ties to even; NaN stays NaN.
func toBF16(dst []byte, row []float32) {
	for k, v := range row {
		b := math.Float32bits(v)
		if v != v {
			b = 0x7fc00000
		} else {
			b += 0x7fff + b>>16&1
		}
		binary.LittleEndian.PutUint16(dst[2*k:], uint16(b>>16))
	}
}

// toF8 rounds to F8_E4M3: to nearest, ties to even, and what is larger than 448
// to 448, as the programs do that publish such files.
func toF8(dst []byte, row []float32) {
	for k, v := range row {
		dst[k] = f8(v)
	}
}

func f8(v float32) byte {
	b := math.Float32bits(v)
	sign, a := byte(b>>24)&0x80, b&^(1<<31)
	switch {
	case v != v:
		return sign | 0x7f
	case a >= math.Float32bits(448):
		return sign | 0x7e
	case a < math.Float32bits(0x1p-6): // in steps of 2⁻⁹; eight of them are the first number of the others
		return sign | byte(math.RoundToEven(float64(math.Float32frombits(a))*0x1p9))
	}
	return sign | byte((a+0x7ffff+a>>20&1)>>20-(127-7)<<3)
}
