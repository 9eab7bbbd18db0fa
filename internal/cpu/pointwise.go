package cpu

// #include "kernels.h"
import "C"

import (
	"unsafe"

	"taca/internal/tensor"
)

// GatedAdd is x += gate·y.
func (b *Backend) GatedAdd(x, y, gate tensor.Tensor) {
	tensor.CheckGatedAdd(x, y, gate)
	args := C.taca_pointwise{x: matrix(x), y: matrix(y), gate: matrix(gate)}
	b.runRows(C.TACA_GATED_ADD, unsafe.Pointer(&args), x)
}

// Activate is dst = act(x).
func (b *Backend) Activate(dst, x tensor.Tensor, act tensor.Activation) {
	tensor.CheckSame("Activate", dst, x)
	args := C.taca_pointwise{dst: matrix(dst), x: matrix(x), act: C.int64_t(act)}
	b.runRows(C.TACA_ACTIVATE, unsafe.Pointer(&args), x)
}

// Mul is dst = x·y.
func (b *Backend) Mul(dst, x, y tensor.Tensor) {
	tensor.CheckSame("Mul", dst, x, y)
	args := C.taca_pointwise{dst: matrix(dst), x: matrix(x), y: matrix(y)}
	b.runRows(C.TACA_MUL, unsafe.Pointer(&args), x)
}

// Mix is dst = a·x + b·y.
func (b *Backend) Mix(dst tensor.Tensor, p float32, x tensor.Tensor, q float32, y tensor.Tensor) {
	tensor.CheckSame("Mix", dst, x, y)
	args := C.taca_pointwise{dst: matrix(dst), x: matrix(x), y: matrix(y), a: C.float(p), b: C.float(q)}
	b.runRows(C.TACA_MIX, unsafe.Pointer(&args), x)
}
