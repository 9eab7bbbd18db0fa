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

// Modulate is what l makes of the conditioning (1 × d, through SiLU), in
// scratch memory: shift, scale and gate of one branch after the other.
func Modulate(o tensor.Ops, l *Linear, cond tensor.Tensor) []Modulation {
	parts := chunk(o, l, cond)
	branches := make([]Modulation, len(parts)/3)
	for i := range branches {
		branches[i] = Modulation{Shift: parts[3*i], Scale: parts[3*i+1], Gate: parts[3*i+2]}
	}
	return branches
}

// ModulateLast is the modulation of a stream that ends, which has no gate.
// The order is scale, shift (diffusers' AdaLayerNormContinuous): the other
// way round than everywhere else.
func ModulateLast(o tensor.Ops, l *Linear, cond tensor.Tensor) Modulation {
	parts := chunk(o, l, cond)
	return Modulation{Scale: parts[0], Shift: parts[1]}
}

// chunk applies l to cond and cuts the result into vectors as wide as cond.
func chunk(o tensor.Ops, l *Linear, cond tensor.Tensor) []tensor.Tensor {
	d := cond.Cols
	all := o.Scratch(1, l.W.Rows, tensor.F32)
	l.Apply(o, all, cond, tensor.Identity)
	parts := make([]tensor.Tensor, all.Cols/d)
	for i := range parts {
		parts[i] = all.ColRange(i*d, (i+1)*d)
	}
	return parts
}
