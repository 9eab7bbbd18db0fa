package quantise

import (
	"encoding/binary"
	"math"

	"taca/internal/tensor"
)

// integers writes row, which it spoils, to dst as Q8 or Q4 hold it.
func integers(dst []byte, d tensor.DType, row []float32) {
	rotate(row)
	scale := put8
	if d == tensor.Q4 {
		scale = put4
	}
	binary.LittleEndian.PutUint32(dst[len(dst)-4:], math.Float32bits(scale(dst, row)))
}

// rotate is W·D·H/width, see tensor.RotationWidth.
func rotate(row []float32) {
	width := tensor.RotationWidth(len(row))
	for k := range row {
		row[k] *= tensor.RotationSign(k) / float32(width)
	}
	for ; len(row) > 0; row = row[width:] {
		hadamard(row[:width])
	}
}

// hadamard multiplies a vector by the Hadamard matrix of its size.
func hadamard(v []float32) {
	h := 1
	for ; 4*h <= len(v); h *= 4 {
		for i := 0; i < len(v); i += 4 * h {
			fourfold(v[i:i+h], v[i+h:i+2*h], v[i+2*h:i+3*h], v[i+3*h:i+4*h])
		}
	}
	if h < len(v) {
		low, high := v[:h], v[h:2*h]
		for j, a := range low {
			b := high[j]
			low[j], high[j] = a+b, a-b
		}
	}
}

// fourfold is two steps of the transform at once.
func fourfold(a, b, c, d []float32) {
	b, c, d = b[:len(a)], c[:len(a)], d[:len(a)]
	for j, p := range a {
		q, r, s := b[j], c[j], d[j]
		p, q, r, s = p+q, p-q, r+s, r-s
		a[j], b[j], c[j], d[j] = p+r, q+s, p-r, q-s
	}
}

// put8 rounds to -127..127 and returns the scale.
func put8(dst []byte, row []float32) float32 {
	most := peak(row)
	if most == 0 {
		clear(dst)
		return 0
	}
	factor := 127 / most
	for k, v := range row {
		dst[k] = byte(nearest(v * factor))
	}
	return most / 127
}

const (
	nibbleMost = 7.5 // what a group's largest number becomes, between 7 and 8
	factorMost = 15  // so that every product with a nibble is an int8
)

// put4 rounds groups to nibbles times a factor, the one of least square error,
// and returns the scale.
func put4(dst []byte, row []float32) float32 {
	most := peak(row)
	if most == 0 {
		clear(dst)
		return 0
	}
	scale := most / (nibbleMost * factorMost)
	factors := dst[len(row)/2:]
	for g := 0; g < len(row)/tensor.QuantGrain; g++ {
		group := row[g*tensor.QuantGrain : (g+1)*tensor.QuantGrain]
		m := bestFactor(group, scale)
		factors[g] = byte(m)
		const half = tensor.QuantGrain / 2
		for i := range half {
			low, high := nibble(group[i], scale*float32(m)), nibble(group[i+half], scale*float32(m))
			dst[g*half+i] = byte(low)&15 | byte(high)<<4
		}
	}
	return scale
}

// bestFactor tries the factors near the one that lets a group's largest number
// just fit.
func bestFactor(group []float32, scale float32) int {
	fits := int(math.Ceil(float64(peak(group) / (nibbleMost * scale))))
	best, least := 1, math.Inf(1)
	for m := max(1, fits*3/4); m <= min(fits+1, factorMost); m++ {
		step, sum := scale*float32(m), 0.0
		for _, v := range group {
			off := float64(v - float32(nibble(v, step))*step)
			sum += off * off
		}
		if sum < least {
			best, least = m, sum
		}
	}
	return best
}

// nibble is v in steps, from -8 to 7.
func nibble(v, step float32) int32 { return min(max(nearest(v/step), -8), 7) }

// nearest rounds to an integer, ties to even, as long as |v| is below 2²².
func nearest(v float32) int32 {
	const magic = 3 << 22 // where a float has no bits for fractions
	return int32(math.Float32bits(v+magic)) - int32(math.Float32bits(magic))
}

func peak(values []float32) float32 {
	most := float32(0)
	for _, v := range values {
		most = max(most, v, -v)
	}
	return most
}
