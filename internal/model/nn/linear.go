package nn

import "taca/internal/tensor"

// Linear is y = act(x·Wᵀ + b), plus low-rank side paths when LoRAs are
// attached.
type Linear struct {
	W, B     tensor.Tensor // out × in, and 1 × out or none
	Adapters []Adapter
	Columns  // their order, where it is not the checkpoint's
}

// Columns is where the columns of a convolution over patches come from, which
// is a Linear over rows of them.
type Columns struct {
	Kernel []int // shape of one output's weights in the checkpoint; nil: a matrix
	Order  []int // element of them that comes i-th
}

// Adapter is one low-rank update of a layer. Gate is owned by the LoRA: 0
// skips the work.
type Adapter struct {
	Down, Up tensor.Tensor // r × in, out × r
	Scale    float32       // alpha/r, fixed by the file
	Gate     *float32
}

// Apply is dst = act(x·Wᵀ + b + Σ gate·scale·(x·downᵀ)·upᵀ). The update is
// never merged into W: the mapping is read-only, and adding and subtracting
// in bf16 would not restore it.
func (l *Linear) Apply(o tensor.Ops, dst, x tensor.Tensor, act tensor.Activation) {
	if !l.adapted() {
		o.Linear(dst, x, l.W, l.B, act)
		return
	}
	o.Linear(dst, x, l.W, l.B, tensor.Identity)
	for _, a := range l.Adapters {
		if *a.Gate != 0 {
			o.AddLowRank(dst, x, a.Down, a.Up, *a.Gate*a.Scale)
		}
	}
	if act != tensor.Identity {
		o.Activate(dst, dst, act)
	}
}

// Embed is Apply of text tokens, which are kept in F32 whatever the format of
// activations is: they are rounded to dst's first, as the reference has them,
// since a product of mixed formats takes several times as long.
func (l *Linear) Embed(o tensor.Ops, dst, tokens tensor.Tensor) {
	if tokens.DType != dst.DType {
		defer o.Release(o.Mark())
		rounded := o.Scratch(tokens.Rows, tokens.Cols, dst.DType)
		o.Copy(rounded, tokens)
		tokens = rounded
	}
	l.Apply(o, dst, tokens, tensor.Identity)
}

func (l *Linear) adapted() bool {
	for _, a := range l.Adapters {
		if *a.Gate != 0 {
			return true
		}
	}
	return false
}
