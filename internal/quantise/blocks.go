package quantise

import (
	"encoding/binary"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// blocks fills dst with the numbers of ggml's blocks: bit for bit those of
// gguf.quants.dequantize. Conversions to float32 keep products from being fused
// with the sums that follow.
func blocks(dst []float32, d tensor.DType, row []byte) {
	size, grain := d.RowBytes(d.Grain()), d.Grain()
	for ; len(dst) > 0; dst, row = dst[grain:], row[size:] {
		out, b := dst[:grain], row[:size]
		switch d {
		case tensor.Q4_0, tensor.Q4_1, tensor.Q5_0, tensor.Q5_1:
			nibbles(out, b, d == tensor.Q5_0 || d == tensor.Q5_1, d == tensor.Q4_1 || d == tensor.Q5_1)
		case tensor.Q8_0:
			by := half(b)
			for i := range out {
				out[i] = by * float32(int8(b[2+i]))
			}
		case tensor.Q2_K:
			twoK(out, b)
		case tensor.Q3_K:
			threeK(out, b)
		case tensor.Q4_K, tensor.Q5_K:
			fourK(out, b, d == tensor.Q5_K)
		default:
			sixK(out, b)
		}
	}
}

// half is an F16 at the beginning of b.
func half(b []byte) float32 {
	var v [1]float32
	checkpoint.Decode(v[:], tensor.F16, b)
	return v[0]
}

// nibbles is 32 columns: byte i has the elements i and i+16, whose fifth bits,
// where there are any, are bits i and i+16 of a word.
func nibbles(out []float32, b []byte, fifth, minimum bool) {
	by, least, zero := half(b), float32(0), int32(8)
	b = b[2:]
	if fifth {
		zero = 16
	}
	if minimum {
		least, zero, b = half(b), 0, b[2:]
	}
	high := uint32(0)
	if fifth {
		high, b = binary.LittleEndian.Uint32(b), b[4:]
	}
	for i := range out {
		q := int32(b[i%16]>>(i/16*4)&15) | int32(high>>i&1)<<4
		out[i] = by * float32(q-zero)
		if minimum {
			out[i] = float32(out[i]) + least
		}
	}
}

// In the K formats a block of 256 columns has eight parts of 32, the bits of each
// at the same place of 32 neighbouring bytes.

func twoK(out []float32, b []byte) {
	by, less := half(b[80:]), half(b[82:])
	for g := range 16 {
		scale, least := by*float32(b[g]&15), less*float32(b[g]>>4)
		q, shift := b[16+g/8*32+g%2*16:], g%8/2*2
		for i := range 16 {
			out[16*g+i] = float32(scale*float32(q[i]>>shift&3)) - least
		}
	}
}

func threeK(out []float32, b []byte) {
	by, scales := half(b[108:]), b[96:108]
	for g := range 16 {
		six := int32(scales[g%8]>>(g/8*4)&15) | int32(scales[8+g%4]>>(g/4*2)&3)<<4
		scale := by * float32(six-32)
		q, high, shift := b[32+g/8*32+g%2*16:], b[g%2*16:], g%8/2*2
		for i := range 16 {
			three := int32(q[i]>>shift&3) | int32(high[i]>>(g/2)&1)<<2
			out[16*g+i] = scale * float32(three-4)
		}
	}
}

func fourK(out []float32, b []byte, fifth bool) {
	by, less, s := half(b), half(b[2:]), b[4:16]
	high, q := b[16:], b[16:]
	if fifth {
		q = b[48:]
	}
	for p := range 8 {
		scale, least := s[p%4]&63, s[p%4+4]&63
		if p >= 4 {
			scale, least = s[p+4]&15|s[p-4]>>2&48, s[p+4]>>4|s[p]>>2&48
		}
		up, down := by*float32(scale), less*float32(least)
		for i := range 32 {
			v := q[p/2*32+i] >> (p % 2 * 4) & 15
			if fifth {
				v |= high[i] >> p & 1 << 4
			}
			out[32*p+i] = float32(up*float32(v)) - down
		}
	}
}

func sixK(out []float32, b []byte) {
	by := half(b[208:])
	for g := range 16 {
		p := g / 2
		scale := by * float32(int8(b[192+g]))
		q, high := b[p/4*64+p%2*32+g%2*16:], b[128+p/4*32+g%2*16:]
		for i := range 16 {
			six := int32(q[i]>>(p%4/2*4)&15) | int32(high[i]>>(p%4*2)&3)<<4
			out[16*g+i] = scale * float32(six-32)
		}
	}
}
