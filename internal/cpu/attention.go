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
	rows := attentionRows(q.Rows, spec.Heads, q.Cols/spec.Heads, b.pool.workers)
	args.unit_rows = C.int64_t(rows)
	units := spec.Heads * ((q.Rows + rows - 1) / rows)
	cost := min(rows, q.Rows) * k.Rows * q.Cols / spec.Heads // multiplications of a unit, halved
	b.run(C.TACA_ATTENTION, unsafe.Pointer(&args), units, max(1, callProducts/max(1, cost)))
}

// callProducts is how many products of queries and keys are worth a call.
const callProducts = 1 << 20

// widestHead is the greatest head the workspace holds.
const widestHead = 2048

// attentionRows is how many query rows share a pass over the keys: as many as
// a core's cache holds, fewer where not every worker would have a few units
// that are worth a call. What a row becomes does not depend on it.
func attentionRows(rows, heads, size, workers int) int {
	if size > widestHead {
		panic(fmt.Sprintf("cpu: attention heads of %d columns, at most %d fit", size, widestHead))
	}
	const strip = 96 // of attention_softmax.h
	n := strip * min(16, max(1, 2048/size))
	n = min(n, max(1, (rows+strip-1)/strip)*strip)
	for n > strip/4 && heads*((rows+n-1)/n) < 4*workers && n*rows*size > callProducts {
		n /= 2
	}
	return n
}
