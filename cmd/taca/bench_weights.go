package main

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"taca/internal/tensor"
)

// randomWeights is rows of cols weights in format d, from one row of random ones.
func randomWeights(g tensor.Group, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	random := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	row := make([]byte, d.RowBytes(cols))
	for i := range row {
		row[i] = byte(random.Uint32())
	}
	switch d {
	case tensor.F8E4M3:
		for i := range row {
			row[i] &= 0xb7 // less than 2, and no NaN
		}
	case tensor.BF16:
		for i := range cols {
			binary.LittleEndian.PutUint16(row[2*i:], uint16(math.Float32bits(float32(random.NormFloat64()))>>16))
		}
	default:
		for i := cols / 2; d == tensor.Q4 && i < len(row)-4; i++ {
			row[i] = 9
		}
		binary.LittleEndian.PutUint32(row[len(row)-4:], math.Float32bits(1.0/128))
	}
	var raw []byte
	for range rows {
		raw = append(raw, row...)
	}
	return g.Bind(raw, rows, cols, d)
}
