//go:build cuda

package cuda

// #include "taca.h"
import "C"

import (
	"fmt"

	"taca/internal/tensor"
)

// The queries of a block of attention_stats.cu, the keys of a tile, and the
// widest head it does: both families' joint attentions have at most 128.
const (
	statsRows = 32
	statsSize = 256
)

// statsShared is the bytes of shared memory of a block of taca_attention_stats:
// queries, and a tile of as many keys.
func statsShared(size int) int { return 4 * statsRows * (2*(ceil(size, 4)*4) + 4) }

// AttentionStats is where the visual queries of an attention spend their
// probability.
func (b *Backend) AttentionStats(stats, maps, q, k tensor.Tensor, spec tensor.AttentionSpec) {
	tensor.CheckAttentionStats(stats, maps, q, k, spec)
	if stats.Cols == 0 || q.Cols == 0 {
		return
	}
	size := q.Cols / spec.Heads
	if size > statsSize {
		b.fail(fmt.Errorf("cuda: statistics of attention with heads of %d columns: at most %d are implemented", size, statsSize))
		return
	}
	p := C.taca_attention_stats_args{stats: matrix(stats), q: matrix(q), k: matrix(k),
		rows: C.longlong(k.Rows), heads: C.longlong(spec.Heads), head_size: C.longlong(size),
		visual_lo: C.longlong(spec.VisualQueries(q, k).Lo), queries: C.longlong(stats.Cols),
		scale: C.double(spec.Scale), gamma: C.double(spec.Gamma)}
	if !spec.Text.Empty() {
		p.text_lo, p.text_hi = C.longlong(spec.Text.Lo), C.longlong(spec.Text.Hi)
		p.maps = matrix(maps)
	}
	b.launch("taca_attention_stats", geometry{x: ceil(stats.Cols, statsRows), threads: 256, shared: statsShared(size)}, fields(&p))
}
