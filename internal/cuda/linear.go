//go:build cuda

package cuda

// #include "taca.h"
import "C"

import "taca/internal/tensor"

// fewRows is up to how many rows a product is bounded by reading the weights
// once, which a kernel of our own does in any format, without converting them.
const fewRows = 8

// Linear is dst = act(x·wᵀ + bias).
func (b *Backend) Linear(dst, x, w, bias tensor.Tensor, act tensor.Activation) {
	tensor.CheckLinear(dst, x, w, bias)
	if dst.Rows == 0 || dst.Cols == 0 || b.err != nil {
		return
	}
	b.temporary.reset()
	alpha := w.Factor() // the product's, so that weights are converted without rounding
	w.Scale = 0
	if x.Rows <= fewRows {
		b.linearFewOf(dst, x, w, bias, act, alpha)
		return
	}
	if x.Cols == 0 { // cuBLASLt has no products without depth
		for lo := 0; lo < x.Rows; lo += fewRows {
			hi := min(lo+fewRows, x.Rows)
			b.linearFew(dst.RowRange(lo, hi), x.RowRange(lo, hi), w, bias, act, 1, 0)
		}
		return
	}
	format := productFormat(dst, x, w)
	out := dst
	if format == tensor.F32 && dst.DType != tensor.F32 {
		out = b.temporaryTensor(dst.Rows, dst.Cols, tensor.F32)
	}
	if !bias.None() {
		bias = b.in(out.DType, bias)
	}
	fused := act == tensor.GELUTanh && format == tensor.BF16
	b.multiply(product{dst: out, x: b.in(format, x), w: b.in(format, w), bias: bias, alpha: alpha, gelu: fused})
	switch {
	case act != tensor.Identity && !fused:
		b.Activate(dst, out, act)
	case out != dst:
		b.Copy(dst, out)
	}
}

// productFormat is what a product is multiplied in: BF16 where x is, unless
// weights would lose bits that an F32 result has room for. Sums are F32 always.
func productFormat(dst, x, w tensor.Tensor) tensor.DType {
	exact := w.DType == tensor.BF16 || w.DType == tensor.F8E4M3 || w.DType == tensor.F8E5M2 || w.DType.Rotated() // to its own error
	if x.DType == tensor.BF16 && (dst.DType == tensor.BF16 || exact) {
		return tensor.BF16
	}
	return tensor.F32
}

// in is t in the given format: t itself, or a copy in temporary memory.
func (b *Backend) in(d tensor.DType, t tensor.Tensor) tensor.Tensor {
	if t.DType == d {
		return t
	}
	c := b.temporaryTensor(t.Rows, t.Cols, d)
	b.Copy(c, t)
	return c
}

// widenedBytes is how much of quantised weights is widened at a time for few rows
// of x: modulation of FLUX.1 would be 226 MB.
const widenedBytes = temporaryChunk

// linearFewOf is Linear of few rows, whose weights may be quantised: those are
// widened to F32, some of their rows after the other.
func (b *Backend) linearFewOf(dst, x, w, bias tensor.Tensor, act tensor.Activation, alpha float32) {
	if !w.DType.Quantised() {
		b.linearFew(dst, x, w, bias, act, alpha, 0)
		return
	}
	rows := max(1, widenedBytes/max(1, 4*w.Cols))
	for lo := 0; lo < w.Rows; lo += rows {
		hi := min(lo+rows, w.Rows)
		part := bias
		if !bias.None() {
			part = bias.ColRange(lo, hi)
		}
		b.temporary.reset()
		b.linearFew(dst.ColRange(lo, hi), x, b.in(tensor.F32, w.RowRange(lo, hi)), part, act, alpha, 0)
	}
}

// linearFew is dst = act(alpha·x·wᵀ + bias) + beta·dst for few rows.
func (b *Backend) linearFew(dst, x, w, bias tensor.Tensor, act tensor.Activation, alpha, beta float32) {
	p := C.taca_linear_few_args{dst: matrix(dst), x: matrix(x), w: matrix(w), bias: matrix(bias),
		rows: C.longlong(x.Rows), in: C.longlong(x.Cols), out: C.longlong(w.Rows),
		alpha: C.double(alpha), beta: C.double(beta), act: C.longlong(act)}
	b.launch("taca_linear_few", geometry{x: ceil(w.Rows, 8), threads: 256}, fields(&p))
}

// AddLowRank is dst += scale·(x·downᵀ)·upᵀ. The inner product is kept in BF16
// only where all activations are.
func (b *Backend) AddLowRank(dst, x, down, up tensor.Tensor, scale float32) {
	tensor.CheckAddLowRank(dst, x, down, up)
	if dst.Rows == 0 || dst.Cols == 0 || down.Rows == 0 || b.err != nil {
		return
	}
	b.temporary.reset()
	if x.Rows <= fewRows {
		inner := b.temporaryTensor(x.Rows, down.Rows, tensor.F32)
		b.linearFew(inner, x, down, tensor.Tensor{}, tensor.Identity, 1, 0)
		b.linearFew(dst, inner, up, tensor.Tensor{}, tensor.Identity, scale, 1)
		return
	}
	format := tensor.F32
	if x.DType == tensor.BF16 && dst.DType == tensor.BF16 {
		format = tensor.BF16
	}
	inner := b.temporaryTensor(x.Rows, down.Rows, format)
	b.multiply(product{dst: inner, x: b.in(format, x), w: b.in(format, down), alpha: 1})
	if dst.DType == format {
		b.multiply(product{dst: dst, x: inner, w: b.in(format, up), alpha: scale, beta: 1})
		return
	}
	added := b.temporaryTensor(dst.Rows, dst.Cols, format)
	b.multiply(product{dst: added, x: inner, w: b.in(format, up), alpha: scale})
	b.Mix(dst, 1, dst, 1, added)
}
