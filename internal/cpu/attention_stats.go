package cpu

// #include "kernels.h"
import "C"

import (
	"unsafe"

	"taca/internal/tensor"
)

// AttentionStats is where the visual queries of an attention spend their
// probability. It is a pass of its own over q·kᵀ, so that Attention has no part
// in it.
func (b *Backend) AttentionStats(stats, maps, q, k tensor.Tensor, spec tensor.AttentionSpec) {
	tensor.CheckAttentionStats(stats, maps, q, k, spec)
	if stats.Cols == 0 || q.Cols == 0 {
		return
	}
	args := C.taca_attention_stats{stats: matrix(stats), q: matrix(q), k: matrix(k), heads: C.int64_t(spec.Heads),
		visual_lo: C.int64_t(spec.VisualQueries(q, k).Lo), scale: C.float(spec.Scale), gamma: C.float(spec.Gamma)}
	if !spec.Text.Empty() {
		args.text_lo, args.text_hi = C.int64_t(spec.Text.Lo), C.int64_t(spec.Text.Hi)
		args.maps = matrix(maps)
	}
	cut := cutQueries(stats.Cols, 1, q.Cols/spec.Heads, b.pool.workers)
	args.unit_rows = C.int64_t(cut.rows)
	cost := min(cut.rows, stats.Cols) * k.Rows * q.Cols
	b.run(C.TACA_ATTENTION_STATS, unsafe.Pointer(&args), pieces(stats.Cols, cut.rows), each(callProducts/cost))
}
