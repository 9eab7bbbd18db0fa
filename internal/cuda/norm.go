//go:build cuda

package cuda

// #include "taca.h"
import "C"

import "taca/internal/tensor"

func (b *Backend) norm(kernel string, dst, x, gain, bias tensor.Tensor, eps float32) {
	if x.Rows == 0 || x.Cols == 0 {
		return
	}
	p := C.taca_norm_args{dst: matrix(dst), x: matrix(x), gain: matrix(gain), bias: matrix(bias),
		rows: C.longlong(x.Rows), cols: C.longlong(x.Cols), eps: C.double(eps)}
	b.launch(kernel, geometry{x: x.Rows, threads: 128}, fields(&p))
}

// ModulatedNorm is dst = (1+scale)·norm(x) + shift.
func (b *Backend) ModulatedNorm(dst, x, shift, scale tensor.Tensor, eps float32) {
	tensor.CheckNorm("ModulatedNorm", dst, x, shift, scale)
	b.norm("taca_modulated_norm", dst, x, scale, shift, eps)
}

// LayerNorm is dst = gain·norm(x) + bias.
func (b *Backend) LayerNorm(dst, x, gain, bias tensor.Tensor, eps float32) {
	tensor.CheckNorm("LayerNorm", dst, x, gain, bias)
	b.norm("taca_layer_norm", dst, x, gain, bias, eps)
}

// RMSNorm is dst = gain·x/√(mean(x²)+eps).
func (b *Backend) RMSNorm(dst, x, gain tensor.Tensor, eps float32) {
	tensor.CheckNorm("RMSNorm", dst, x, gain)
	b.norm("taca_rms_norm", dst, x, gain, tensor.Tensor{}, eps)
}

// QKNormRope works in place on every head of x.
func (b *Backend) QKNormRope(x, gain, rope tensor.Tensor, heads int, eps float32) {
	tensor.CheckQKNormRope(x, gain, rope, heads)
	if x.Rows == 0 || gain.None() && rope.None() {
		return
	}
	p := C.taca_qk_norm_rope_args{x: matrix(x), gain: matrix(gain), rope: matrix(rope),
		rows: C.longlong(x.Rows), heads: C.longlong(heads), head_size: C.longlong(x.Cols / heads), eps: C.double(eps)}
	b.launch("taca_qk_norm_rope", geometry{x: max(1, ceil(x.Rows*x.Cols/4, 256)), threads: 256}, fields(&p))
}

// slabRows is how many rows of pixels one block of a group norm sums up.
const slabRows = 64

// GroupNorm is dst = act(gain·norm(x) + bias) over all pixels and the channels
// of one group.
func (b *Backend) GroupNorm(dst, x, gain, bias tensor.Tensor, groups int, eps float32, act tensor.Activation) {
	tensor.CheckGroupNorm(dst, x, gain, bias, groups)
	if x.Rows == 0 || x.Cols == 0 {
		return
	}
	b.temporary.reset()
	slabs := min(ceil(x.Rows, slabRows), 4096)
	p := C.taca_group_norm_args{dst: matrix(dst), x: matrix(x), gain: matrix(gain), bias: matrix(bias),
		sums: C.ulonglong(b.workspace(8 * (slabs*x.Cols + groups))),
		rows: C.longlong(x.Rows), cols: C.longlong(x.Cols), groups: C.longlong(groups), slabs: C.longlong(slabs),
		eps: C.double(eps), act: C.longlong(act)}
	b.launch("taca_group_sums", geometry{x: slabs, threads: 256}, fields(&p))
	b.launch("taca_group_stats", geometry{x: groups, threads: 32}, fields(&p))
	b.launch("taca_group_norm", b.spread(x.Rows, x.Cols), fields(&p))
}
