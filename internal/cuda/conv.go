//go:build cuda

package cuda

// #include "taca.h"
import "C"

import "taca/internal/tensor"

// The tiles of conv3x3.cu.
const (
	convPixels, convChannels = 128, 64
	convShared               = 3 * (convPixels + convChannels) * 64 // bytes: three pieces of 32 channels
	convAnyTile              = 64
)

// Conv3x3 is a 3×3 convolution, on tensor cores in the formats that a product
// would be multiplied in bf16 in.
func (b *Backend) Conv3x3(dst, x, w, bias tensor.Tensor, grid tensor.Grid) {
	tensor.CheckConv3x3(dst, x, w, bias, grid)
	if dst.Rows == 0 || dst.Cols == 0 || b.err != nil {
		return
	}
	b.temporary.reset()
	kernel, g := "taca_conv3x3_any", geometry{x: ceil(dst.Rows, convAnyTile), y: ceil(dst.Cols, convAnyTile), threads: 256}
	if productFormat(dst, x, w) == tensor.BF16 && x.Cols%8 == 0 && sixteen(x) && sixteen(w) {
		w = b.in(tensor.BF16, w)
		kernel, g = "taca_conv3x3", geometry{x: ceil(dst.Rows, convPixels), y: ceil(dst.Cols, convChannels), threads: 128, shared: convShared}
	}
	p := C.taca_conv3x3_args{dst: matrix(dst), x: matrix(x), w: matrix(w), bias: matrix(bias),
		height: C.longlong(grid.Height), width: C.longlong(grid.Width), in: C.longlong(x.Cols), out: C.longlong(dst.Cols)}
	b.launch(kernel, g, fields(&p))
}

// sixteen reports whether every row of t, once it is BF16, begins at a multiple
// of 16 bytes. A copy without gaps does if its rows are multiples of them.
func sixteen(t tensor.Tensor) bool {
	if t.DType != tensor.BF16 {
		return t.Cols%8 == 0
	}
	return address(t)%16 == 0 && t.Stride%8 == 0
}
