package nn

import "taca/internal/tensor"

// Modulation is how conditioning steers one branch of a block (adaLN-Zero,
// arXiv 2212.09748): the branch reads (1+Scale)·norm(x) + Shift, and Gate
// times its answer is added to x. All are 1 × d, F32.
type Modulation struct{ Shift, Scale, Gate tensor.Tensor }

// Norm is dst = (1+Scale)·norm(x) + Shift. dst may be x.
func (m Modulation) Norm(o tensor.Ops, dst, x tensor.Tensor) {
	o.ModulatedNorm(dst, x, m.Shift, m.Scale, Eps)
}

// Vectors is where the vectors of one stream are in the row of all.
type Vectors struct{ at, count, width int }

// columns are the stream's, of rows that hold all.
func (v Vectors) columns(all tensor.Tensor) tensor.Tensor {
	return all.ColRange(v.at, v.at+v.count*v.width)
}

// vector is the i-th of them.
func (v Vectors) vector(row tensor.Tensor, i int) tensor.Tensor {
	return row.ColRange(v.at+i*v.width, v.at+(i+1)*v.width)
}

// Modulate is the modulation of each branch: shift, scale and gate of one
// after the other.
func (v Vectors) Modulate(row tensor.Tensor) []Modulation {
	branches := make([]Modulation, v.count/3)
	for i := range branches {
		branches[i] = Modulation{Shift: v.vector(row, 3*i), Scale: v.vector(row, 3*i+1), Gate: v.vector(row, 3*i+2)}
	}
	return branches
}

// ModulateLast is the modulation of a stream that ends, which has no gate.
// The order is scale, shift (diffusers' AdaLayerNormContinuous): the other
// way round than everywhere else.
func (v Vectors) ModulateLast(row tensor.Tensor) Modulation {
	return Modulation{Scale: v.vector(row, 0), Shift: v.vector(row, 1)}
}
