//go:build cuda

package cuda

// #include "taca.h"
import "C"

import (
	"fmt"

	"taca/internal/tensor"
)

// attentionTile is one of the kernels of taca_attention.cu and its relatives.
type attentionTile struct {
	kernel              string
	rows, keys, threads int
	size                int // columns of a head
}

// shared is the bytes of shared memory a block has: queries, keys and values.
func (a attentionTile) shared() int { return (a.rows + 2*a.keys) * a.size * 2 }

var (
	attention64  = attentionTile{"taca_attention_64", 128, 64, 128, 64}
	attention128 = attentionTile{"taca_attention_128", 128, 64, 128, 128}
	// narrow128 leaves room for two blocks where a multiprocessor has 100 KiB.
	narrow128    = attentionTile{"taca_attention_128_narrow", 128, 32, 128, 128}
	attention512 = attentionTile{"taca_attention_512", 64, 16, 256, 512}
)

// Attention mixes the rows of v by the softmax of spec's logits: on tensor
// cores where all operands are BF16, heads have 64, 128 or 512 columns and
// there is neither a causal mask nor a bias; in F32 arithmetic otherwise.
func (b *Backend) Attention(dst, q, k, v tensor.Tensor, spec tensor.AttentionSpec) {
	tensor.CheckAttention(dst, q, k, v, spec)
	if q.Rows == 0 || q.Cols == 0 {
		return
	}
	size := q.Cols / spec.Heads
	p := C.taca_attention_args{q: matrix(q), k: matrix(k), v: matrix(v), o: matrix(dst),
		rows: C.longlong(k.Rows), queries: C.longlong(q.Rows), heads: C.longlong(spec.Heads), head_size: C.longlong(size),
		scale: C.double(spec.Scale), gamma: 1, bias: matrix(spec.RelBias)}
	if spec.Tempered() { // otherwise empty spans, so that no tile is looked at closely
		p.gamma = C.double(spec.Gamma)
		p.text_lo, p.text_hi = C.longlong(spec.Text.Lo), C.longlong(spec.Text.Hi)
		visual := spec.VisualQueries(q, k)
		p.visual_lo, p.visual_hi = C.longlong(visual.Lo), C.longlong(visual.Hi)
	}
	if spec.Causal {
		p.causal = 1
	}
	if tile, ok := b.attentionTile(q, k, v, dst, spec); ok {
		b.launch(tile.kernel, geometry{x: ceil(q.Rows, tile.rows), y: spec.Heads, threads: tile.threads, shared: tile.shared()}, fields(&p))
		return
	}
	if size > anySize {
		b.fail(fmt.Errorf("cuda: attention with heads of %d columns: at most %d are implemented", size, anySize))
		return
	}
	b.launch("taca_attention_any", geometry{x: ceil(q.Rows, anyRows), y: spec.Heads, threads: 256,
		shared: anyShared(size)}, fields(&p))
}

// anyShared is the bytes of shared memory of a block of taca_attention_any:
// queries, and a tile of 32 keys or values.
func anyShared(size int) int { return 4 * (anyRows*size + 32*(size+1)) }

// The tile of attention_any.cu, and the widest head it does.
const (
	anyRows = 8
	anySize = 512
)

// attentionTile is the kernel on tensor cores for these operands, if there is
// one.
func (b *Backend) attentionTile(q, k, v, dst tensor.Tensor, spec tensor.AttentionSpec) (attentionTile, bool) {
	for _, t := range []tensor.Tensor{q, k, v, dst} {
		if t.DType != tensor.BF16 || !sixteen(t) {
			return attentionTile{}, false
		}
	}
	if spec.Causal || !spec.RelBias.None() {
		return attentionTile{}, false
	}
	switch q.Cols / spec.Heads {
	case 64:
		return attention64, true
	case 128:
		if b.limits.sharedPerBlock < 2*attention128.shared() {
			return narrow128, true
		}
		return attention128, true
	case 512:
		return attention512, true
	}
	return attentionTile{}, false
}
