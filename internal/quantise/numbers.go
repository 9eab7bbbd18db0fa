package quantise

import (
	"encoding/binary"
	"math"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// numbers fills dst with what a row of any format stands for, but for the
// tensor's scale.
func numbers(dst []float32, from tensor.DType, row []byte) {
	switch {
	case from.Rotated():
		unrotated(dst, from, row)
	case from.Quantised():
		blocks(dst, from, row)
	default:
		checkpoint.Decode(dst, from, row)
	}
}

// unrotated is the opposite of integers: the Hadamard matrix and the signs are
// their own inverses, but for a factor that rotate has divided by.
func unrotated(dst []float32, d tensor.DType, row []byte) {
	cols := len(dst)
	scale := math.Float32frombits(binary.LittleEndian.Uint32(row[len(row)-4:]))
	for k := range dst {
		if d == tensor.Q8 {
			dst[k] = float32(int8(row[k]))
			continue
		}
		group, in := k/tensor.QuantGrain, k%tensor.QuantGrain
		four := int8(row[group*16+in%16]>>(in/16*4)<<4) >> 4
		dst[k] = float32(four) * float32(row[cols/2+group])
	}
	width := tensor.RotationWidth(cols)
	for rest := dst; len(rest) > 0; rest = rest[width:] {
		hadamard(rest[:width])
	}
	for k := range dst {
		dst[k] *= scale * tensor.RotationSign(k)
	}
}
