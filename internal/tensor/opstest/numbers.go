package opstest

import (
	"encoding/binary"
	"math"

	"taca/internal/tensor"
)

// format is what rounding to a binary floating-point format needs to know.
type format struct {
	bits        int // of the significand, the implied one included
	minExponent int // of the least normal number
	largest     float64
}

var formats = map[tensor.DType]format{
	tensor.F32:    {24, -126, math.MaxFloat32},
	tensor.BF16:   {8, -126, 0x1.FEp127},
	tensor.F16:    {11, -14, 65504},
	tensor.F8E4M3: {4, -6, 448},
	tensor.F8E5M2: {3, -14, 57344},
}

// unit is the greatest relative error of rounding a normal number to d.
func unit(d tensor.DType) float64 { return math.Ldexp(1, -formats[d].bits) }

// round is v as stored in d: to nearest, ties to even.
func round(d tensor.DType, v float64) float64 {
	switch d {
	case tensor.F32:
		return float64(float32(v))
	case tensor.BF16:
		if a := math.Abs(v); a >= 0x1p-126 && a < 0x1.FEp127 {
			return roundNormal(v)
		}
	}
	return roundTo(formats[d], v)
}

// roundNormal rounds to the 8 bits of a BF16 that is neither subnormal nor
// near overflow, in the bits of the float64.
func roundNormal(v float64) float64 {
	const drop = 53 - 8
	b := math.Float64bits(v)
	b += 1<<(drop-1) - 1 + b>>drop&1
	return math.Float64frombits(b >> drop << drop)
}

func roundTo(f format, v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	_, e := math.Frexp(v) // |v| in [2^(e-1), 2^e)
	step := math.Ldexp(1, max(e-1, f.minExponent)-f.bits+1)
	r := math.RoundToEven(v/step) * step
	if math.Abs(r) > f.largest {
		return math.Inf(int(math.Copysign(1, v)))
	}
	return r
}

// decode reads element i of raw.
func decode(d tensor.DType, raw []byte, i int) float64 {
	switch d {
	case tensor.F32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
	case tensor.BF16:
		return float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16))
	case tensor.F16:
		b := binary.LittleEndian.Uint16(raw[2*i:])
		return decodeSmall(int(b>>15), int(b>>10&31), int(b&1023), 10, 15, b&0x7FFF > 0x7C00, b&0x7FFF == 0x7C00)
	case tensor.F8E5M2:
		b := raw[i]
		return decodeSmall(int(b>>7), int(b>>2&31), int(b&3), 2, 15, b&0x7F > 0x7C, b&0x7F == 0x7C)
	default:
		b := raw[i]
		return decodeSmall(int(b>>7), int(b>>3&15), int(b&7), 3, 7, b&0x7F == 0x7F, false)
	}
}

func decodeSmall(sign, exponent, fraction, bits, bias int, nan, inf bool) float64 {
	v := math.Ldexp(float64(fraction), 1-bias-bits)
	switch {
	case nan:
		return math.NaN()
	case inf:
		v = math.Inf(1)
	case exponent > 0:
		v = math.Ldexp(float64(fraction+1<<bits), exponent-bias-bits)
	}
	if sign == 1 {
		return -v
	}
	return v
}

// encode is the bytes of values, rounded to d, as a checkpoint would hold them.
func encode(d tensor.DType, values []float64) []byte {
	raw := make([]byte, 0, len(values)*d.Size())
	for _, v := range values {
		v = round(d, v)
		switch d {
		case tensor.F32:
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
		case tensor.BF16:
			raw = binary.LittleEndian.AppendUint16(raw, uint16(math.Float32bits(float32(v))>>16))
		case tensor.F16:
			raw = binary.LittleEndian.AppendUint16(raw, uint16(encodeSmall(v, 10, -14)))
		case tensor.F8E5M2:
			raw = append(raw, uint8(encodeSmall(v, 2, -14)))
		default:
			raw = append(raw, uint8(encodeSmall(v, 3, -6)))
		}
	}
	return raw
}

// encodeSmall is the bits of a finite number that the format can hold.
func encodeSmall(v float64, bits, minExponent int) int {
	sign := 0
	if math.Signbit(v) {
		sign = 1
	}
	exponentBits := 5
	if bits == 3 {
		exponentBits = 4
	}
	sign <<= bits + exponentBits
	a := math.Abs(v)
	if a < math.Ldexp(1, minExponent) {
		return sign | int(math.Ldexp(a, bits-minExponent))
	}
	_, e := math.Frexp(a)
	significand := int(math.Ldexp(a, bits-e+1)) // with the implied one, which carries into the exponent
	return sign | ((e-1-minExponent)<<bits + significand)
}
