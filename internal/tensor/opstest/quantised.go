package opstest

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"

	"taca/internal/tensor"
)

// rotated reads the integers and the scale of a row of quantised weights, as
// tensor.DType.RowBytes lays them out.
func rotated(d tensor.DType, raw []byte, cols int) (integers []float64, scale float64) {
	integers = make([]float64, cols)
	for k := range integers {
		if d == tensor.Q8 {
			integers[k] = float64(int8(raw[k]))
			continue
		}
		group, in := k/tensor.QuantGrain, k%tensor.QuantGrain
		nibble := raw[group*16+in%16] >> (in / 16 * 4) & 15
		integers[k] = float64(int8(nibble<<4)>>4) * float64(raw[cols/2+group])
	}
	end := d.RowBytes(cols)
	return integers, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[end-4 : end])))
}

// hadamard multiplies neighbouring width numbers of row by the Hadamard matrix:
// element (i, j) is -1 where i and j share an odd number of bits.
func hadamard(row []float64, width int) {
	out := make([]float64, width)
	for lo := 0; lo < len(row); lo += width {
		block := row[lo : lo+width]
		for i := range out {
			out[i] = 0
			for j, v := range block {
				if bits.OnesCount(uint(i&j))%2 == 1 {
					v = -v
				}
				out[i] += v
			}
		}
		copy(block, out)
	}
}

// turn is the diagonal of signs that goes with hadamard.
func turn(row []float64) {
	for k := range row {
		row[k] *= float64(tensor.RotationSign(k))
	}
}

// dequantised is the numbers that a row of quantised weights stands for.
func dequantised(d tensor.DType, raw []byte, row []float64) {
	integers, scale := rotated(d, raw, len(row))
	width := tensor.RotationWidth(len(row))
	hadamard(integers, width)
	turn(integers)
	for k, v := range integers {
		row[k] = scale * v
	}
}

// quantisedProduct is x·wᵀ as naive code does it: rows of x are rotated, rounded
// to int8 with one scale each, and multiplied as integers.
func (r *reference) quantisedProduct(x []float64, n int, w tensor.Tensor) []float64 {
	k, width := w.Cols, tensor.RotationWidth(w.Cols)
	y := make([]float64, n*w.Rows)
	rounded, scales := make([]float64, n*k), make([]float64, n)
	for i := range n {
		row := rounded[i*k : (i+1)*k]
		copy(row, x[i*k:])
		turn(row)
		hadamard(row, width)
		most := 0.0
		for _, v := range row {
			most = max(most, math.Abs(v))
		}
		scales[i] = r.step(most / 127)
		for j, v := range row {
			if most > 0 {
				row[j] = math.RoundToEven(v * 127 / most)
			}
		}
	}
	parallel(w.Rows, func(lo, hi int) {
		for o := lo; o < hi; o++ {
			weights, scale := rotated(w.DType, w.Mem.(*memory).raw[w.Offset+o*w.Stride:], k)
			for i := range n {
				sum := 0.0
				for j, v := range weights {
					sum += v * rounded[i*k+j]
				}
				y[i*w.Rows+o] = r.kept(r.step(r.step(sum*scales[i]) * scale))
			}
		}
	})
	return y
}

// randomQuantised is rows of random integers whose products with inputs of
// spread 1 are of the size that models have.
func randomQuantised(random *rand.Rand, rows, cols int, d tensor.DType, spread float64) []byte {
	raw := make([]byte, 0, rows*d.RowBytes(cols))
	for range rows {
		row := make([]byte, d.RowBytes(cols))
		for i := range row[:len(row)-4] {
			row[i] = byte(random.Uint32())
		}
		if d == tensor.Q4 {
			for g := range cols / tensor.QuantGrain {
				row[cols/2+g] = byte(random.IntN(15) + 1)
			}
		}
		scale := float32(spread * (0.5 + random.Float64()) / 64 / math.Sqrt(float64(tensor.RotationWidth(cols))))
		binary.LittleEndian.PutUint32(row[len(row)-4:], math.Float32bits(scale))
		raw = append(raw, row...)
	}
	return raw
}
