package cpu

// #include "kernels.h"
import "C"

import (
	"runtime"
	"unsafe"

	"taca/internal/tensor"
)

// Gather copies row ids[i] of table to row i of dst.
func (b *Backend) Gather(dst, table tensor.Tensor, ids []int32) {
	tensor.CheckGather(dst, table, ids)
	var pinned runtime.Pinner
	defer pinned.Unpin()
	args := C.taca_gather{dst: matrix(dst), table: matrix(table), ids: C.uintptr_t(pin(&pinned, ids)), scale: C.float(table.Factor())}
	b.runRows(C.TACA_GATHER, unsafe.Pointer(&args), dst)
}

// Upsample2x repeats every pixel of x two by two.
func (b *Backend) Upsample2x(dst, x tensor.Tensor, grid tensor.Grid) {
	tensor.CheckUpsample2x(dst, x, grid)
	args := C.taca_upsample{dst: matrix(dst), x: matrix(x), height: C.int64_t(grid.Height), width: C.int64_t(grid.Width)}
	b.runRows(C.TACA_UPSAMPLE2X, unsafe.Pointer(&args), x)
}

// Copy is dst = src.
func (b *Backend) Copy(dst, src tensor.Tensor) {
	tensor.CheckCopy(dst, src)
	b.move(matrix(dst), matrix(src), src.Factor(), dst)
}

// Upload fills dst from host memory.
func (b *Backend) Upload(dst tensor.Tensor, src []float32) {
	tensor.CheckHost("Upload", dst, len(src))
	var pinned runtime.Pinner
	defer pinned.Unpin()
	b.move(matrix(dst), host(&pinned, src, dst), 1, dst)
}

// Download fills host memory from src.
func (b *Backend) Download(dst []float32, src tensor.Tensor) {
	tensor.CheckHost("Download", src, len(dst))
	var pinned runtime.Pinner
	defer pinned.Unpin()
	b.move(host(&pinned, dst, src), matrix(src), src.Factor(), src)
}

// move is dst = scale · src, matrices of the shape of t.
func (b *Backend) move(dst, src C.taca_matrix, scale float32, t tensor.Tensor) {
	args := C.taca_pointwise{dst: dst, x: src, a: C.float(scale)}
	b.runRows(C.TACA_COPY, unsafe.Pointer(&args), t)
}

// host is Go memory as a matrix of the shape of t.
func host(pinned *runtime.Pinner, values []float32, t tensor.Tensor) C.taca_matrix {
	return C.taca_matrix{
		at:   C.uintptr_t(pin(pinned, values)),
		rows: C.int64_t(t.Rows), cols: C.int64_t(t.Cols), stride: C.int64_t(t.Cols), _type: C.TACA_F32,
	}
}

// pin is the address of values, which stay there until pinned is undone.
func pin[T any](pinned *runtime.Pinner, values []T) uintptr {
	if len(values) == 0 {
		return 0
	}
	pinned.Pin(&values[0])
	return uintptr(unsafe.Pointer(&values[0]))
}
