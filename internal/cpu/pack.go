package cpu

// #include "kernels.h"
import "C"

import (
	"unsafe"

	"taca/internal/tensor"
)

// packing is the left operand of a product as the kernel likes it: in tiles, or
// quantised where weights are. It is kept
// for the products that follow at once, since queries, keys and values have
// the same one.
type packing struct {
	memory *memory
	quads  bool          // as integers
	of     C.taca_matrix // what is packed, while nothing but a product has been done since
}

// packMost is how many bytes are packed at once: products of more rows are
// done in parts.
const packMost = 64 << 20

// packs is whether all of x should be packed before the first block: where
// there are several blocks of columns, each of which would pack it again, and
// where whole rows are needed to round them. Rows that are no tiles are best read
// where they are, unless they crowd each other out of the cache.
func packs(args *C.taca_linear, t C.taca_tiling, across int) bool {
	if C.taca_in_quads(args) != 0 {
		return true
	}
	several := t.grain > 0 && args.width == 0 && int(args.dst.cols) > across && args.x.cols > 0
	return several && (t.tiles != 0 || C.taca_crowded(args.x.stride*C.int64_t(tensor.DType(args.x._type).Size())) != 0)
}

// packedRow is the bytes of one packed row of that many columns.
func packedRow(in int, t C.taca_tiling) int { return int(C.taca_packed_row(C.int64_t(in), t)) }

// quantisedRow is the bytes that come to it where it is quantised: the factor
// and the sum of its integers.
const quantisedRow = 8

// packedRows is how many rows of that many columns are packed at once.
func packedRows(in int, t C.taca_tiling) int {
	strip := int(t.strip)
	return max(strip, packMost/packedRow(in, t)/strip*strip)
}

// pack brings x to args.packed.
func (b *Backend) pack(args *C.taca_linear, t C.taca_tiling) {
	rows := int(args.x.rows)
	bytes := upTo(rows, 1, int(t.strip)) * (packedRow(int(args.x.cols), t) + quantisedRow)
	if bytes > len(b.packed.memory.data) {
		m, err := pages(bytes)
		if err != nil {
			b.fail(err)
			return
		}
		_ = b.packed.memory.release() // unmapping our own pages cannot fail
		b.packed = packing{memory: m}
	}
	args.packed = C.uintptr_t(uintptr(unsafe.Pointer(&b.packed.memory.data[0])))
	quads := C.taca_in_quads(args) != 0
	if b.packed.of != args.x || b.packed.quads != quads {
		b.run(C.TACA_PACK, unsafe.Pointer(args), pieces(rows, int(t.strip)), each(1))
		b.packed.of, b.packed.quads = args.x, quads
	}
}

// forget is called when x may have changed.
func (b *Backend) forget() { b.packed.of = C.taca_matrix{} }

// overlap is whether two matrices share memory, as far as their first and last
// elements tell.
func overlap(a, b C.taca_matrix) bool {
	end := func(m C.taca_matrix) C.uintptr_t {
		return m.at + C.uintptr_t(int(m.rows*m.stride)*tensor.DType(m._type).Size())
	}
	return a.at < end(b) && b.at < end(a)
}

// part is rows lo up to hi of a product.
func part(args C.taca_linear, lo, hi int) C.taca_linear {
	for _, m := range []*C.taca_matrix{&args.dst, &args.x} {
		m.at += C.uintptr_t(lo * int(m.stride) * tensor.DType(m._type).Size())
		m.rows = C.int64_t(hi - lo)
	}
	return args
}
