//go:build cuda

package cuda

// #include "cublaslt.h"
import "C"

import (
	"fmt"
	"math"

	"taca/internal/residency"
	"taca/internal/tensor"
)

// product is dst = act(alpha·x·wᵀ + bias) + beta·dst, with operands in formats
// that cuBLASLt multiplies.
type product struct {
	dst, x, w, bias tensor.Tensor
	alpha, beta     float32
	gelu            bool // the tanh form, after the bias
}

// The words of a product's command, after its kind.
const (
	productShape = iota
	productBatch
	productDst
	productX
	productW
	productBias
	productDstStride // bytes, of a batch
	productWStride
	productBiasStride
	productScalars // alpha, beta
	productWords
)

// batched is the operands that differ from one product of a batch to the next,
// and where their distance is.
var batched = [...]struct{ at, stride int }{
	{productDst, productDstStride}, {productW, productWStride}, {productBias, productBiasStride},
}

// multiply asks for a product. One that differs from the one before only in
// weights and result, at even distances, joins it: the projections to q, k and
// v are one batch.
func (b *Backend) multiply(p product) {
	s := C.lt_shape{m: C.int64_t(p.w.Rows), n: C.int64_t(p.x.Rows), k: C.int64_t(p.x.Cols),
		lda: C.int64_t(p.w.Stride), ldb: C.int64_t(p.x.Stride), ldd: C.int64_t(p.dst.Stride), batch: 1,
		type_in: ltType(p.x.DType), type_out: ltType(p.dst.DType), epilogue: C.LT_PLAIN}
	var w [productWords]uint64
	w[productBatch], w[productDst], w[productX], w[productW] = 1, address(p.dst), address(p.x), address(p.w)
	s.align_a, s.align_b, s.align_d = divisor(w[productW]), divisor(w[productX]), divisor(w[productDst])
	if p.gelu {
		s.epilogue = C.LT_GELU
	}
	if !p.bias.None() {
		s.epilogue = s.epilogue&C.LT_GELU | C.LT_BIAS
		w[productBias] = address(p.bias)
	}
	w[productShape] = uint64(b.cublas.shape(s))
	w[productScalars] = uint64(math.Float32bits(p.alpha))<<32 | uint64(math.Float32bits(p.beta))
	if b.err != nil {
		return
	}
	if !b.join(w[:]) {
		b.enqueue(runProduct, w[:])
	}
}

func ltType(d tensor.DType) C.int64_t {
	if d == tensor.BF16 {
		return C.LT_BF16
	}
	return C.LT_F32
}

// divisor is the largest power of two, up to residency.Align, that divides at.
func divisor(at uint64) C.int64_t { return C.int64_t(min(at&-at, residency.Align)) }

// join adds a product to the batch before it, if it can be one of it.
func (b *Backend) join(w []uint64) bool {
	q := &b.queue
	if len(q.commands) == 0 || q.commands[len(q.commands)-1].kind != runProduct {
		return false
	}
	last := q.commands[len(q.commands)-1]
	before := q.words[last.lo+1 : last.hi]
	for _, same := range []int{productShape, productX, productScalars} {
		if before[same] != w[same] {
			return false
		}
	}
	if uint32(w[productScalars]) != 0 { // beta: what is added to comes from before
		return false
	}
	n := before[productBatch]
	for _, o := range batched {
		step := w[o.at] - before[o.at] // from the first
		switch {
		case n == 1 && (int64(step) < 0 || o.at != productBias && step == 0):
			return false
		case n > 1 && step != n*before[o.stride]:
			return false
		}
	}
	if n == 1 {
		for _, o := range batched {
			before[o.stride] = w[o.at] - before[o.at]
		}
	}
	before[productBatch]++
	return true
}

// issueProduct runs on the driver's thread.
func (b *Backend) issueProduct(w []uint64) {
	s := b.cublas.shapes[w[productShape]]
	if n := w[productBatch]; n > 1 {
		in, out := elementBytes(s.type_in), elementBytes(s.type_out)
		s.batch = C.int64_t(n)
		s.stride_a, s.stride_d = C.int64_t(w[productWStride]/in), C.int64_t(w[productDstStride]/out)
		s.stride_bias = C.int64_t(w[productBiasStride] / out)
		if whole := w[productWStride]%in + w[productDstStride]%out + w[productBiasStride]%out; whole == 0 && b.issueBatch(s, w) {
			return
		}
		s.batch, s.stride_a, s.stride_d, s.stride_bias = 1, 0, 0, 0
	}
	for i := range w[productBatch] {
		one := [productWords]uint64{}
		copy(one[:], w)
		for _, o := range batched {
			one[o.at] += i * w[o.stride]
		}
		b.issueBatch(s, one[:])
	}
}

// issueBatch reports whether cuBLASLt can do s at all.
func (b *Backend) issueBatch(s C.lt_shape, w []uint64) bool {
	plan, err := b.cublas.plan(s)
	if err != nil {
		panic(failure{err})
	}
	if plan == nil {
		return false
	}
	alpha := C.float(math.Float32frombits(uint32(w[productScalars] >> 32)))
	beta := C.float(math.Float32frombits(uint32(w[productScalars])))
	status := C.lt_run(b.cublas.handle, plan, alpha, beta, C.uint64_t(w[productW]), C.uint64_t(w[productX]), C.uint64_t(w[productBias]),
		C.uint64_t(w[productDst]), C.uint64_t(b.cublas.memory.at), C.size_t(b.cublas.memory.bytes), C.uintptr_t(b.stream))
	if status != 0 {
		panic(failure{fmt.Errorf("cuBLASLt: multiply %d×%d by %d×%d: %s", s.n, s.k, s.k, s.m, C.GoString(C.lt_status(status)))})
	}
	return true
}

func elementBytes(lt C.int64_t) uint64 {
	if lt == C.LT_F32 {
		return 4
	}
	return 2
}
