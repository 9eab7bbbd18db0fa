//go:build cuda

package cuda

// #include "taca.h"
import "C"

import "taca/internal/tensor"

// spread is the geometry of kernels whose threads take four elements of a row:
// blocks along the columns and down the rows, enough to fill the device.
func (b *Backend) spread(rows, cols int) geometry {
	across := ceil(cols, 4*256)
	return geometry{x: across, y: min(rows, max(1, 16*b.limits.processors/across), 65535), threads: 256}
}

// warps is the geometry of kernels whose warps take one of so many units at a time.
func (b *Backend) warps(units int) geometry {
	return geometry{x: min(ceil(units, 8), max(1, 16*b.limits.processors)), threads: 256}
}

func (b *Backend) pointwise(kernel string, p C.taca_pointwise_args, dst tensor.Tensor) {
	if dst.Rows == 0 || dst.Cols == 0 {
		return
	}
	p.dst, p.rows, p.cols = matrix(dst), C.longlong(dst.Rows), C.longlong(dst.Cols)
	b.launch(kernel, b.spread(dst.Rows, dst.Cols), fields(&p))
}

// GatedAdd is x += gate·y.
func (b *Backend) GatedAdd(x, y, gate tensor.Tensor) {
	tensor.CheckGatedAdd(x, y, gate)
	b.pointwise("taca_gated_add", C.taca_pointwise_args{y: matrix(y), gate: matrix(gate)}, x)
}

// Activate is dst = act(x).
func (b *Backend) Activate(dst, x tensor.Tensor, act tensor.Activation) {
	tensor.CheckSame("Activate", dst, x)
	b.pointwise("taca_activate", C.taca_pointwise_args{x: matrix(x), act: C.longlong(act)}, dst)
}

// Mul is dst = x·y.
func (b *Backend) Mul(dst, x, y tensor.Tensor) {
	tensor.CheckSame("Mul", dst, x, y)
	b.pointwise("taca_mul", C.taca_pointwise_args{x: matrix(x), y: matrix(y)}, dst)
}

// Mix is dst = alpha·x + beta·y.
func (b *Backend) Mix(dst tensor.Tensor, alpha float32, x tensor.Tensor, beta float32, y tensor.Tensor) {
	tensor.CheckSame("Mix", dst, x, y)
	b.pointwise("taca_mix", C.taca_pointwise_args{x: matrix(x), y: matrix(y), a: C.double(alpha), b: C.double(beta)}, dst)
}

// Copy is dst = src, converting the format.
func (b *Backend) Copy(dst, src tensor.Tensor) {
	tensor.CheckCopy(dst, src)
	switch {
	case dst.Rows == 0 || dst.Cols == 0:
	case src.DType.Rotated():
		b.dequantise(dst, src)
	case src.DType.Quantised():
		b.widenBlocks(dst, src, 0)
	default:
		b.pointwise("taca_copy", C.taca_pointwise_args{x: matrix(src), a: C.double(src.Factor())}, dst)
	}
}

// dequantise is Copy of rotated weights; a warp takes 256 columns.
func (b *Backend) dequantise(dst, src tensor.Tensor) {
	p := C.taca_pointwise_args{dst: matrix(dst), x: matrix(src), rows: C.longlong(dst.Rows), cols: C.longlong(dst.Cols)}
	b.launch("taca_dequantise", b.warps(dst.Rows*ceil(dst.Cols, 256)), fields(&p))
}
