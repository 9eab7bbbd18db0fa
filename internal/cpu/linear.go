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
	var c cut
	if args.width == 0 && C.taca_in_quads(&args) == 0 && rows <= C.TACA_FEW_ROWS && in <= C.TACA_FEW_COLS {
		args.few = 1
		enough := max(16, unitBytes/max(1, tensor.DType(args.w._type).RowBytes(in)))
		c = cut{rows: rows, cols: max(enough, upTo(cols, unitsPerWorker*b.pool.workers, 16)), claims: each(1)}
	} else {
		t := b.kernels.tiling(&args)
		c = b.cut(rows, cols, in, t)
		if packs(&args, t, c.most*c.cols) {
			if most := packedRows(in, t); rows > most {
				for lo := 0; lo < rows; lo += most {
					b.product(part(args, lo, min(lo+most, rows)))
				}
				return
			}
			b.pack(&args, t)
		}
	}
	args.unit_rows, args.unit_cols, args.block_units = C.int64_t(c.rows), C.int64_t(c.cols), C.int64_t(c.most)
	b.run(C.TACA_LINEAR, unsafe.Pointer(&args), pieces(rows, c.rows)*pieces(cols, c.cols), c.claims)
	if overlap(args.dst, b.packed.of) {
		b.forget()
	}
}

// cut is how dst is cut into units, and how many side by side make a block.
type cut struct {
	rows, cols int
	claims
}

// cut makes blocks of the size that the caches like, of units as narrow as the
// kernel's panels: as few rows as give every worker a few of them.
func (b *Backend) cut(rows, cols, in int, t C.taca_tiling) cut {
	strip, panel := int(t.strip), int(t.panel)
	c := cut{rows: upTo(rows, pieces(rows, int(t.rows)), strip), cols: panel}
	c.most = upTo(cols, pieces(cols, int(t.cols)), panel) / panel
	few := func() bool { return pieces(rows, c.rows)*pieces(cols, panel) < unitsPerWorker*b.pool.workers }
	for b.pool.workers > 1 && few() && c.rows > 2*strip && c.rows*panel*in >= 2*unitProducts {
		c.rows = upTo(c.rows, 2, strip)
	}
	c.least = unitProducts / max(1, c.rows*panel*in)
	return c
}

// pieces is how many pieces of size make up n.
func pieces(n, size int) int { return (n + size - 1) / size }

// upTo is an n-th part of total, rounded up to whole grains.
func upTo(total, n, grain int) int { return pieces(pieces(total, n), grain) * grain }
