package cpu

// #include "kernels.h"
import "C"

import (
	"fmt"
	"unsafe"

	"taca/internal/tensor"
)

// Attention mixes the rows of v by the softmax of spec's logits.
func (b *Backend) Attention(dst, q, k, v tensor.Tensor, spec tensor.AttentionSpec) {
	tensor.CheckAttention(dst, q, k, v, spec)
	visual := spec.VisualQueries(q, k)
	args := C.taca_attention{dst: matrix(dst), q: matrix(q), k: matrix(k), v: matrix(v),
		rel_bias: matrix(spec.RelBias), heads: C.int64_t(spec.Heads),
		text_lo: C.int64_t(spec.Text.Lo), text_hi: C.int64_t(spec.Text.Hi),
		visual_lo: C.int64_t(visual.Lo), visual_hi: C.int64_t(visual.Hi),
		scale: C.float(spec.Scale), gamma: C.float(spec.Gamma)}
	if spec.Causal {
		args.causal = 1
	}
	cut := cutQueries(q.Rows, spec.Heads, q.Cols/spec.Heads, b.pool.workers)
	args.unit_rows, args.pass_units = C.int64_t(cut.rows), C.int64_t(cut.together)
	cost := min(cut.rows, q.Rows) * k.Rows * q.Cols / spec.Heads // multiplications of a unit, halved
	b.run(C.TACA_ATTENTION, unsafe.Pointer(&args), spec.Heads*pieces(q.Rows, cut.rows), claims{callProducts / max(1, cost), cut.together})
}

// callProducts is how many products of queries and keys are worth a call.
const callProducts = 1 << 20

// widestHead is the greatest head the workspace holds.
const widestHead = 2048

// queryCut is how an attention's queries are cut into units: runs of so many rows
// of a head. So many units together share a pass over the keys.
type queryCut struct{ rows, together int }

// cutQueries lets as many rows share a pass as a core's cache holds, and cuts
// them so that every worker has a few units that are worth a call. What a row
// becomes does not depend on it.
func cutQueries(rows, heads, size, workers int) queryCut {
	if size > widestHead {
		panic(fmt.Sprintf("cpu: attention heads of %d columns, at most %d fit", size, widestHead))
	}
	const strip, parts = 96, 4 // strip: of attention_softmax.h
	pass := min(strip*min(16, max(1, 2048/size)), max(strip, upTo(rows, 1, strip)))
	unit := upTo(pass, parts, strip)
	for unit > strip/4 && heads*pieces(rows, unit) < 4*workers && unit*rows*size > callProducts {
		unit /= 2
	}
	return queryCut{unit, pieces(pass, unit)}
}
