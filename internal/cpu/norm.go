package cpu

// #include "kernels.h"
import "C"

import (
	"math"
	"runtime"
	"unsafe"

	"taca/internal/tensor"
)

// callElements is how many elements of a row-wise verb are worth a call: some
// 50 µs of work, so that what is smaller stays on the calling thread.
const callElements = 1 << 16

// runRows does a verb whose units are the rows of x; rows without columns have
// no address.
func (b *Backend) runRows(v verb, args unsafe.Pointer, x tensor.Tensor) {
	if x.Cols == 0 {
		return
	}
	b.run(v, args, x.Rows, each(callElements/x.Cols))
}

// ModulatedNorm is dst = (1+scale)·norm(x) + shift.
func (b *Backend) ModulatedNorm(dst, x, shift, scale tensor.Tensor, eps float32) {
	tensor.CheckNorm("ModulatedNorm", dst, x, shift, scale)
	args := C.taca_norm{dst: matrix(dst), x: matrix(x), gain: matrix(scale), bias: matrix(shift),
		eps: C.float(eps), modulated: 1}
	b.runRows(C.TACA_NORM, unsafe.Pointer(&args), x)
}

// LayerNorm is dst = gain·norm(x) + bias.
func (b *Backend) LayerNorm(dst, x, gain, bias tensor.Tensor, eps float32) {
	tensor.CheckNorm("LayerNorm", dst, x, gain, bias)
	args := C.taca_norm{dst: matrix(dst), x: matrix(x), gain: matrix(gain), bias: matrix(bias), eps: C.float(eps)}
	b.runRows(C.TACA_NORM, unsafe.Pointer(&args), x)
}

// RMSNorm is dst = gain·x/sqrt(mean(x²)+eps).
func (b *Backend) RMSNorm(dst, x, gain tensor.Tensor, eps float32) {
	tensor.CheckNorm("RMSNorm", dst, x, gain)
	args := C.taca_norm{dst: matrix(dst), x: matrix(x), gain: matrix(gain), eps: C.float(eps)}
	b.runRows(C.TACA_RMS_NORM, unsafe.Pointer(&args), x)
}

// QKNormRope norms every head of x by its RMS and rotates it by rope.
func (b *Backend) QKNormRope(x, gain, rope tensor.Tensor, heads int, eps float32) {
	tensor.CheckQKNormRope(x, gain, rope, heads)
	if gain.None() && rope.None() {
		return
	}
	args := C.taca_qk{x: matrix(x), gain: matrix(gain), rope: matrix(rope), heads: C.int64_t(heads), eps: C.float(eps)}
	b.runRows(C.TACA_QK_NORM_ROPE, unsafe.Pointer(&args), x)
}

// GroupNorm is dst = act(gain·norm(x) + bias) over all pixels of a group of
// channels. Sums are taken over runs of rows that do not depend on the number
// of threads, and added up in order.
func (b *Backend) GroupNorm(dst, x, gain, bias tensor.Tensor, groups int, eps float32, act tensor.Activation) {
	tensor.CheckGroupNorm(dst, x, gain, bias, groups)
	unitRows := max(1, callElements/max(1, x.Cols))
	units := (x.Rows + unitRows - 1) / unitRows
	if units == 0 {
		return
	}
	sums := make([]float64, units*groups*2)
	var pinned runtime.Pinner
	pinned.Pin(&sums[0])
	defer pinned.Unpin()

	args := C.taca_group_norm{dst: matrix(dst), x: matrix(x), gain: matrix(gain), bias: matrix(bias),
		sums:      C.uintptr_t(uintptr(unsafe.Pointer(&sums[0]))),
		unit_rows: C.int64_t(unitRows), groups: C.int64_t(groups), act: C.int64_t(act)}
	b.run(C.TACA_GROUP_SUMS, unsafe.Pointer(&args), units, each(1))
	moments(sums, groups, x.Rows*x.Cols/groups, float64(eps))
	b.runRows(C.TACA_GROUP_NORM, unsafe.Pointer(&args), x)
}

// moments turns sums of x and x², one pair per unit and group, into a mean and
// 1/sqrt(variance+eps) per group, at the front of sums.
func moments(sums []float64, groups, count int, eps float64) {
	for at := 2 * groups; at < len(sums); at++ {
		sums[at%(2*groups)] += sums[at]
	}
	for g := range groups {
		mean := sums[2*g] / float64(count)
		variance := max(0, sums[2*g+1]/float64(count)-mean*mean)
		sums[2*g], sums[2*g+1] = mean, 1/math.Sqrt(variance+eps)
	}
}
