//go:build cuda

package cuda

// #cgo CFLAGS: -I${SRCDIR}/../../kernels
// #include "taca.h"
import "C"

import (
	"unsafe"

	"taca/internal/tensor"
)

// geometry is how a kernel is spread over the device.
type geometry struct {
	x, y    int // blocks; y at most 65535, 0 stands for 1
	threads int // a block
	shared  int // bytes of dynamic shared memory a block
}

// fields is the words of one of taca.h's structs. Every field has 8 bytes,
// and a launch copies 8 bytes a parameter.
func fields[T any](params *T) []uint64 {
	return unsafe.Slice((*uint64)(unsafe.Pointer(params)), unsafe.Sizeof(*params)/8)
}

// ceil is how many pieces of size by make up n.
func ceil(n, by int) int { return (n + by - 1) / by }

// matrix is t as kernels know it.
func matrix(t tensor.Tensor) C.taca_matrix {
	if t.None() {
		return C.taca_matrix{}
	}
	return C.taca_matrix{at: C.ulonglong(address(t)), stride: C.longlong(t.Stride), format: C.longlong(t.DType)}
}
