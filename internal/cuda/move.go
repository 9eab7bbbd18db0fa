//go:build cuda

package cuda

// #include "taca.h"
import "C"

import "taca/internal/tensor"

// Gather copies row ids[i] of table to row i of dst.
func (b *Backend) Gather(dst, table tensor.Tensor, ids []int32) {
	tensor.CheckGather(dst, table, ids)
	if dst.Rows == 0 || dst.Cols == 0 || b.err != nil {
		return
	}
	p := C.taca_gather_args{dst: matrix(dst), table: matrix(table), ids: C.ulonglong(b.stageInts(ids)),
		rows: C.longlong(dst.Rows), cols: C.longlong(dst.Cols)}
	b.launch("taca_gather", b.spread(dst.Rows, dst.Cols), fields(&p))
}

// Upsample2x repeats every pixel of x two by two.
func (b *Backend) Upsample2x(dst, x tensor.Tensor, grid tensor.Grid) {
	tensor.CheckUpsample2x(dst, x, grid)
	if dst.Rows == 0 || dst.Cols == 0 {
		return
	}
	p := C.taca_upsample2x_args{dst: matrix(dst), x: matrix(x),
		height: C.longlong(grid.Height), width: C.longlong(grid.Width), cols: C.longlong(x.Cols)}
	b.launch("taca_upsample2x", b.spread(dst.Rows, dst.Cols), fields(&p))
}
