package cpu

/*
#cgo CFLAGS: -O3 -std=c11 -Wall -Wextra
#cgo LDFLAGS: -lm
#cgo noescape taca_call
#cgo nocallback taca_call
#include "kernels.h"

static inline void taca_call(const taca_kernels *k, int verb, const void *args, int64_t lo, int64_t hi, void *work) {
	k->verb[verb](args, lo, hi, work);
}
*/
import "C"

import (
	"unsafe"

	"taca/internal/tensor"
)

const workBytes = C.TACA_WORK_BYTES

// verb is an index of the table of kernels.
type verb C.int

// kernels is one instruction set's table.
type kernels struct {
	name  string
	table *C.taca_kernels
}

func (k *kernels) call(v verb, args unsafe.Pointer, lo, hi int, work unsafe.Pointer) {
	C.taca_call(k.table, C.int(v), args, C.int64_t(lo), C.int64_t(hi), work)
}

// tiling is how a product is best cut: on bfloat16 where its operands are, or
// may be rounded to it because the result will be.
func (k *kernels) tiling(a *C.taca_linear) C.taca_tiling {
	if C.taca_in_quads(a) != 0 {
		return k.table.quads
	}
	if C.taca_in_pairs(a) != 0 {
		return k.table.pairs
	}
	return k.table.words
}

// matrix is t as C sees it.
func matrix(t tensor.Tensor) C.taca_matrix {
	if t.None() {
		return C.taca_matrix{}
	}
	return C.taca_matrix{
		at:   C.uintptr_t(address(t)),
		rows: C.int64_t(t.Rows), cols: C.int64_t(t.Cols), stride: C.int64_t(t.Stride),
		_type: C.int64_t(t.DType),
	}
}
