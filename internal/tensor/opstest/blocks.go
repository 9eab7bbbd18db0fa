package opstest

import (
	"encoding/binary"
	"math/rand/v2"

	"taca/internal/tensor"
)

// ggml's blocks, one element at a time (ggml-common.h has the structs, and
// gguf.quants of the Python package the same arithmetic: every product and sum
// is rounded to F32).

// unblock is the numbers that a row of ggml's blocks stands for.
func unblock(d tensor.DType, raw []byte, row []float64) {
	columns, bytes := d.Grain(), d.RowBytes(d.Grain())
	for k := range row {
		row[k] = float64(blockElement(d, raw[k/columns*bytes:][:bytes], k%columns))
	}
}

// blockElement is element i of block b.
func blockElement(d tensor.DType, b []byte, i int) float32 {
	switch d {
	case tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1:
		return nibbleElement(d, b, i)
	case tensor.Q8_0:
		return halfAt(b, 0) * float32(int8(b[2+i]))
	case tensor.Q2_K:
		scale := b[i/16]
		return less(halfAt(b, 80)*float32(scale&15), twoBits(b[16:], i), halfAt(b, 82)*float32(scale>>4))
	case tensor.Q3_K:
		j := i / 16
		scale := int(b[96+j%8]>>(j/8*4)&15) | int(b[104+j%4]>>(j/4*2)&3)<<4
		q := twoBits(b[32:], i)
		if b[i%32]>>(i/32)&1 == 0 { // the mask's bits come at the front
			q -= 4
		}
		return halfAt(b, 108) * float32(scale-32) * float32(q)
	case tensor.Q4_K:
		scale, minimum := sixBits(b[4:16], i/32)
		return less(halfAt(b, 0)*float32(scale), int(b[16+i/64*32+i%32]>>(i/32%2*4)&15), halfAt(b, 2)*float32(minimum))
	case tensor.Q5_K:
		scale, minimum := sixBits(b[4:16], i/32)
		q := int(b[48+i/64*32+i%32]>>(i/32%2*4)&15) | int(b[16+i%32]>>(i/32)&1)<<4
		return less(halfAt(b, 0)*float32(scale), q, halfAt(b, 2)*float32(minimum))
	default: // Q6_K
		q := int(b[i/128*64+i%64]>>(i%128/64*4)&15) | int(b[128+i/128*32+i%32]>>(i%128/32*2)&3)<<4
		return halfAt(b, 208) * float32(int8(b[192+i/16])) * float32(q-32)
	}
}

// nibbleElement is one of the formats whose blocks are 32 nibbles.
func nibbleElement(d tensor.DType, b []byte, i int) float32 {
	scale, at, zero := halfAt(b, 0), 2, 8
	minimum := float32(0)
	if d == tensor.Q4_1 || d == tensor.Q5_1 {
		minimum, at, zero = halfAt(b, 2), 4, 0
	}
	fifth := 0
	if d == tensor.Q5_0 || d == tensor.Q5_1 {
		fifth = int(binary.LittleEndian.Uint32(b[at:])>>i&1) << 4
		at, zero = at+4, 2*zero
	}
	q := int(b[at+i%16]>>(i/16*4)&15) | fifth
	v := float32(scale * float32(q-zero))
	if zero == 0 {
		v += minimum
	}
	return v
}

// less is scale·q - minimum, each rounded.
func less(scale float32, q int, minimum float32) float32 {
	return float32(scale*float32(q)) - minimum
}

// twoBits is element i of 256 that are two bits each: four times 32 in 32 bytes.
func twoBits(b []byte, i int) int { return int(b[i/128*32+i%32] >> (i % 128 / 32 * 2) & 3) }

// sixBits is the j-th scale and minimum of eight pairs in 12 bytes.
func sixBits(b []byte, j int) (scale, minimum int) {
	if j < 4 {
		return int(b[j] & 63), int(b[j+4] & 63)
	}
	return int(b[j+4]&15 | b[j-4]>>6<<4), int(b[j+4]>>4 | b[j]>>6<<4)
}

func halfAt(b []byte, at int) float32 { return float32(decode(tensor.F16, b[at:at+2], 0)) }

// halfPlaces is where the blocks of a format have numbers in F16.
var halfPlaces = map[tensor.DType][]int{
	tensor.Q4_0: {0}, tensor.Q4_1: {0, 2}, tensor.Q5_0: {0}, tensor.Q5_1: {0, 2}, tensor.Q8_0: {0},
	tensor.Q2_K: {80, 82}, tensor.Q3_K: {108}, tensor.Q4_K: {0, 2}, tensor.Q5_K: {0, 2}, tensor.Q6_K: {208},
}

// blockFormats is the formats of ggml, in order.
var blockFormats = []tensor.DType{
	tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1, tensor.Q8_0,
	tensor.Q2_K, tensor.Q3_K, tensor.Q4_K, tensor.Q5_K, tensor.Q6_K,
}

// randomBlocks is rows of random blocks, their scales such that the largest
// elements are a few times spread.
func randomBlocks(random *rand.Rand, rows, cols int, d tensor.DType, spread float64) []byte {
	largest := map[tensor.DType]float64{
		tensor.Q4_0: 8, tensor.Q4_1: 15, tensor.Q5_0: 16, tensor.Q5_1: 31, tensor.Q8_0: 128,
		tensor.Q2_K: 45, tensor.Q3_K: 128, tensor.Q4_K: 945, tensor.Q5_K: 1953, tensor.Q6_K: 4096,
	}[d]
	raw := make([]byte, rows*d.RowBytes(cols))
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	bytes := d.RowBytes(d.Grain())
	for lo := 0; lo < len(raw); lo += bytes {
		for _, at := range halfPlaces[d] {
			v := spread * (0.5 + random.Float64()) * 3 / largest
			if random.IntN(2) == 0 {
				v = -v
			}
			copy(raw[lo+at:], encode(tensor.F16, []float64{v}))
		}
	}
	if len(raw) > 0 { // the first block is of numbers that F16 holds as subnormal
		for _, at := range halfPlaces[d] {
			binary.LittleEndian.PutUint16(raw[at:], uint16(random.IntN(1<<10)))
		}
	}
	return raw
}

// scaled multiplies what a row of weights holds by their scale.
func scaled(t tensor.Tensor, row []float64) {
	if f := float64(t.Factor()); f != 1 {
		for j := range row {
			row[j] *= f
		}
	}
}
