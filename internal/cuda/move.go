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
	at := b.stageInts(ids)
	if table.DType.Quantised() {
		b.widenBlocks(dst, table, at)
		return
	}
	p := gather(dst, table, at)
	b.launch("taca_gather", b.spread(dst.Rows, dst.Cols), fields(&p))
}

func gather(dst, table tensor.Tensor, ids uint64) C.taca_gather_args {
	return C.taca_gather_args{dst: matrix(dst), table: matrix(table), ids: C.ulonglong(ids),
		rows: C.longlong(dst.Rows), cols: C.longlong(dst.Cols), scale: C.double(table.Factor())}
}

// widenBlocks is Gather and, where ids is 0, Copy of ggml's blocks; a warp takes
// 256 columns.
func (b *Backend) widenBlocks(dst, table tensor.Tensor, ids uint64) {
	p := gather(dst, table, ids)
	b.launch("taca_widen_blocks", b.warps(dst.Rows*ceil(dst.Cols, 256)), fields(&p))
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
