package cpu

// #include "kernels.h"
import "C"

import (
	"unsafe"

	"taca/internal/tensor"
)

// Linear is dst = act(x·wᵀ + bias).
func (b *Backend) Linear(dst, x, w, bias tensor.Tensor, act tensor.Activation) {
	tensor.CheckLinear(dst, x, w, bias)
	b.product(C.taca_linear{dst: matrix(dst), x: matrix(x), w: matrix(w), bias: matrix(bias), act: C.int64_t(act), scale: C.float(w.Factor())})
}

// AddLowRank is dst += scale · (x·downᵀ)·upᵀ. The inner product is kept in
// BF16 only where all activations are.
func (b *Backend) AddLowRank(dst, x, down, up tensor.Tensor, scale float32) {
	tensor.CheckAddLowRank(dst, x, down, up)
	format := tensor.F32
	if x.DType == tensor.BF16 && dst.DType == tensor.BF16 {
		format = tensor.BF16
	}
	inner, err := b.innerProduct(x.Rows, down.Rows, format)
	if err != nil {
		b.fail(err)
		return
	}
	b.product(C.taca_linear{dst: matrix(inner), x: matrix(x), w: matrix(down), scale: 1})
	b.product(C.taca_linear{dst: matrix(dst), x: matrix(inner), w: matrix(up), scale: C.float(scale), adds: 1})
}

// innerProduct is memory between the two products of AddLowRank. It is not
// scratch, since a model does not know of it; it grows to the largest use.
func (b *Backend) innerProduct(rows, rank int, d tensor.DType) (tensor.Tensor, error) {
	if need := rows * rank * d.Size(); need > len(b.inner.data) {
		m, err := pages(need)
		if err != nil {
			return tensor.Tensor{}, err
		}
		_ = b.inner.release() // unmapping our own pages cannot fail
		b.inner = m
	}
	return tensor.Tensor{Rows: rows, Cols: rank, Stride: rank, DType: d, Mem: b.inner}, nil
}

// Conv3x3 is a convolution: a product whose left operand is the neighbourhood
// of every pixel.
func (b *Backend) Conv3x3(dst, x, w, bias tensor.Tensor, grid tensor.Grid) {
	tensor.CheckConv3x3(dst, x, w, bias, grid)
	b.product(C.taca_linear{dst: matrix(dst), x: matrix(x), w: matrix(w), bias: matrix(bias), scale: 1,
		height: C.int64_t(grid.Height), width: C.int64_t(grid.Width)})
}

const (
	// unitProducts is how many multiplications are worth a unit of their own.
	unitProducts = 1 << 22
	// unitBytes is how many bytes of weights are, where only reading them counts.
	unitBytes = 1 << 19
	// unitsPerWorker leaves something to claim for who is done early.
	unitsPerWorker = 4
)

// product cuts args' dst into blocks and does them all. How it is cut changes
// no bit of the result.
func (b *Backend) product(args C.taca_linear) {
	rows, cols, in := int(args.dst.rows), int(args.dst.cols), int(args.w.cols)
	if rows == 0 || cols == 0 {
		return
	}
	var down, across int
	if args.width == 0 && C.taca_in_quads(&args) == 0 && rows <= C.TACA_FEW_ROWS && in <= C.TACA_FEW_COLS {
		args.few = 1
		enough := max(16, unitBytes/max(1, tensor.DType(args.w._type).RowBytes(in)))
		down, across = rows, max(enough, upTo(cols, unitsPerWorker*b.pool.workers, 16))
	} else {
		t := b.kernels.tiling(&args)
		down, across = b.block(rows, cols, in, t)
		if packs(&args, t, across) {
			if most := packedRows(in, t); rows > most {
				for lo := 0; lo < rows; lo += most {
					b.product(part(args, lo, min(lo+most, rows)))
				}
				return
			}
			b.pack(&args, t)
		}
	}
	args.block_rows, args.block_cols = C.int64_t(down), C.int64_t(across)
	b.run(C.TACA_LINEAR, unsafe.Pointer(&args), pieces(rows, down)*pieces(cols, across), 1)
	if overlap(args.dst, b.packed.of) {
		b.forget()
	}
}

// block is the size of the blocks of a product: what the caches like, smaller
// where some workers would have nothing to do.
func (b *Backend) block(rows, cols, in int, t C.taca_tiling) (down, across int) {
	strip, panel := int(t.strip), int(t.panel)
	down = upTo(rows, pieces(rows, int(t.rows)), strip)
	across = upTo(cols, pieces(cols, int(t.cols)), panel)
	few := func() bool { return pieces(rows, down)*pieces(cols, across) < unitsPerWorker*b.pool.workers }
	for b.pool.workers > 1 && few() && down*across*in >= 2*unitProducts {
		switch {
		case across > 4*panel:
			across = upTo(across, 2, panel)
		case down > 2*strip:
			down = upTo(down, 2, strip)
		default:
			return down, across
		}
	}
	return down, across
}

// pieces is how many pieces of size make up n.
func pieces(n, size int) int { return (n + size - 1) / size }

// upTo is an n-th part of total, rounded up to whole grains.
func upTo(total, n, grain int) int { return pieces(pieces(total, n), grain) * grain }
