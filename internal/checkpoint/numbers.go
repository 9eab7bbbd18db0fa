package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"

	"taca/internal/tensor"
)

// Floats decodes a tensor of weights, in its own order.
func Floats(r Raw) ([]float32, error) {
	d, ok := tensor.ParseDType(r.Type)
	if !ok {
		return nil, fmt.Errorf("numbers of format %s are no weights", r.Type)
	}
	if d.Quantised() {
		return nil, fmt.Errorf("numbers of format %s are not read one by one", r.Type)
	}
	out := make([]float32, len(r.Bytes)/d.Size())
	Decode(out, d, r.Bytes)
	r.Multiply(out)
	return out, nil
}

// Multiply multiplies numbers of r by its scale.
func (r Raw) Multiply(numbers []float32) {
	if r.Scale == 0 {
		return
	}
	for i := range numbers {
		numbers[i] *= r.Scale
	}
}

// Decode fills out with numbers of a floating-point format.
func Decode(out []float32, d tensor.DType, b []byte) {
	if d == tensor.BF16 { // by far the most frequent
		for i := range out {
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
		return
	}
	for i := range out {
		out[i] = decode(d, b[i*d.Size():])
	}
}

func decode(d tensor.DType, b []byte) float32 {
	switch d {
	case tensor.F32:
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	case tensor.BF16:
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(b)) << 16)
	case tensor.F16:
		return half(binary.LittleEndian.Uint16(b))
	case tensor.F8E5M2:
		return half(uint16(b[0]) << 8)
	default:
		return eighth(b[0])
	}
}

// half widens IEEE binary16.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch {
	case exponent == 0:
		return math.Float32frombits(math.Float32bits(float32(fraction)*0x1p-24) | sign)
	case exponent == 31 && fraction != 0:
		return float32(math.NaN())
	case exponent == 31:
		return math.Float32frombits(0x7f800000 | sign)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// eighth widens F8_E4M3, the variant without infinities.
func eighth(b byte) float32 {
	sign, exponent, fraction := uint32(b>>7)<<31, uint32(b>>3&15), uint32(b&7)
	switch {
	case b&0x7f == 0x7f:
		return float32(math.NaN())
	case exponent == 0:
		return math.Float32frombits(math.Float32bits(float32(fraction)*0x1p-9) | sign)
	}
	return math.Float32frombits(sign | (exponent+127-7)<<23 | fraction<<20)
}

// NonFinite names the weights of s that hold NaN or Inf. It reads every byte,
// so it is for explaining a broken picture, not for loading.
func NonFinite(s Source) []string {
	var bad []string
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		if d, ok := tensor.ParseDType(raw.Type); ok && hasNonFinite(d, raw.Bytes) {
			bad = append(bad, name)
		}
	}
	return bad
}

// hasNonFinite looks for an exponent of all ones.
func hasNonFinite(d tensor.DType, b []byte) bool {
	switch d {
	case tensor.F32:
		for ; len(b) >= 4; b = b[4:] {
			if binary.LittleEndian.Uint32(b)&0x7f800000 == 0x7f800000 {
				return true
			}
		}
	case tensor.BF16, tensor.F16:
		ones := map[tensor.DType]uint16{tensor.BF16: 0x7f80, tensor.F16: 0x7c00}[d]
		for ; len(b) >= 2; b = b[2:] {
			if binary.LittleEndian.Uint16(b)&ones == ones {
				return true
			}
		}
	case tensor.F8E4M3:
		for _, v := range b {
			if v&0x7f == 0x7f {
				return true
			}
		}
	case tensor.F8E5M2:
		for _, v := range b {
			if v&0x7c == 0x7c {
				return true
			}
		}
	default:
		for ; len(blockScales[d]) > 0 && len(b) > 0; b = b[d.RowBytes(d.Grain()):] {
			for _, at := range blockScales[d] {
				if b[at+1]&0x7c == 0x7c {
					return true
				}
			}
		}
	}
	return false
}

// blockScales is where ggml's blocks have numbers in F16: all else is integers.
var blockScales = map[tensor.DType][]int{
	tensor.Q4_0: {0}, tensor.Q4_1: {0, 2}, tensor.Q5_0: {0}, tensor.Q5_1: {0, 2}, tensor.Q8_0: {0},
	tensor.Q2_K: {80, 82}, tensor.Q3_K: {108}, tensor.Q4_K: {0, 2}, tensor.Q5_K: {0, 2}, tensor.Q6_K: {208},
}
