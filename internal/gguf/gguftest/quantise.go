package gguftest

import (
	"encoding/binary"
	"math"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// Convert is a component's tensors, those matrices quantised whose columns suit.
func Convert(s checkpoint.Source, d tensor.DType) ([]Tensor, error) {
	var all []Tensor
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		t := Tensor{name, raw.Shape, raw.Type, raw.Bytes}
		if len(raw.Shape) == 2 && raw.Shape[1]%d.Grain() == 0 {
			values, err := checkpoint.Floats(raw)
			if err != nil {
				return nil, err
			}
			t.Type, t.Bytes = d.String(), Quantise(d, values)
		}
		all = append(all, t)
	}
	return all, nil
}

// Of is tensors as they are.
func Of(tensors []checkpoint.Tensor) []Tensor {
	var all []Tensor
	for _, t := range tensors {
		all = append(all, Tensor{t.Name, t.Shape, t.Type, t.Bytes})
	}
	return all
}

// Quantise rounds numbers to Q8_0 or Q4_K, each as well as a scale and a minimum
// out of the range of its part can.
func Quantise(d tensor.DType, numbers []float32) []byte {
	var out []byte
	for n := d.Grain(); len(numbers) > 0; numbers = numbers[n:] {
		if d == tensor.Q8_0 {
			out = append(out, q8(numbers[:n])...)
		} else {
			out = append(out, q4k(numbers[:n])...)
		}
	}
	return out
}

func q8(v []float32) []byte {
	most := 0.0
	for _, x := range v {
		most = max(most, math.Abs(float64(x)))
	}
	bits, scale := half(most / 127)
	out := binary.LittleEndian.AppendUint16(nil, bits)
	for _, x := range v {
		out = append(out, byte(int8(nearest(float64(x), scale, -127, 127))))
	}
	return out
}

// q4k is 256 numbers: eight parts with a scale and a minimum of six bits each.
func q4k(v []float32) []byte {
	var scales, minima [8]float64
	for p := range scales {
		low, high := 0.0, 0.0
		for _, x := range v[32*p : 32*p+32] {
			low, high = min(low, float64(x)), max(high, float64(x))
		}
		scales[p], minima[p] = (high-low)/15, -low
	}
	out := make([]byte, 144)
	scale, least := sixBits(out, out[4:16], scales, 0), sixBits(out[2:], out[4:16], minima, 1)
	for k, x := range v {
		p := k / 32
		q := nearest(float64(x)+least[p], scale[p], 0, 15)
		out[16+p/2*32+k%32] |= byte(q) << (p % 2 * 4)
	}
	return out
}

// sixBits stores eight factors or minima, and returns what is read of them.
func sixBits(d, packed []byte, values [8]float64, second int) (read [8]float64) {
	most := 0.0
	for _, x := range values {
		most = max(most, x)
	}
	bits, step := half(most / 63)
	binary.LittleEndian.PutUint16(d, bits)
	for p, x := range values {
		q := byte(nearest(x, step, 0, 63))
		if p < 4 {
			packed[p+4*second] |= q
		} else {
			packed[p+4] |= q & 15 << (4 * second)
			packed[p-4+4*second] |= q >> 4 << 6
		}
		read[p] = float64(q) * step
	}
	return read
}

func nearest(v, step, low, high float64) int {
	if step == 0 {
		return 0
	}
	return int(min(max(math.RoundToEven(v/step), low), high))
}

// half is a number that is not negative as F16, and what that is.
func half(v float64) (bits uint16, read float64) {
	if v < 0x1p-14 {
		n := math.RoundToEven(v * 0x1p24)
		return uint16(n), n * 0x1p-24
	}
	fraction, e := math.Frexp(v) // in [1/2, 1)
	n := math.RoundToEven(fraction * 0x1p11)
	if n == 0x1p11 {
		n, e = 0x1p10, e+1
	}
	return uint16(n)&1023 | uint16(e+14)<<10, math.Ldexp(n, e-11)
}
