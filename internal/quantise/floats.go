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
	sign := byte(math.Float32bits(v) >> 24 & 0x80)
	if v != v {
		return sign | 0x7f
	}
	a := min(math.Abs(float64(v)), 448)
	_, e := math.Frexp(a) // a is below 2^e
	step := math.Ldexp(1, max(e-1, -6)-3)
	a = math.RoundToEven(a/step) * step
	if a < 0x1p-6 {
		return sign | byte(a*0x1p9)
	}
	fraction, e := math.Frexp(a)
	return sign | byte(e-1+7)<<3 | byte((2*fraction-1)*8)
}
