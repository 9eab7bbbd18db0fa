package nn

import (
	"math"

	"taca/internal/tensor"
)

// Eps is what the transformers' norms add to a variance, as the reference
// fixes it.
const Eps = 1e-6

// Attention is one stream's weights around an attention: what turns its rows
// into queries, keys and values, and what takes back the mixed values.
type Attention struct {
	Q, K, V, Out Linear        // d × d
	NormQ, NormK tensor.Tensor // gains of each head's RMS norm, or none
}

// AttentionNames are the canonical names of an Attention's tensors. An empty
// name is a part that does not exist.
type AttentionNames struct{ Q, K, V, Out, NormQ, NormK string }

// The names diffusers gives the attention of the stream a block was made for,
// and that of the stream added to it.
var (
	OwnNames   = AttentionNames{"to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k"}
	AddedNames = AttentionNames{"add_q_proj", "add_k_proj", "add_v_proj", "to_add_out", "norm_added_q", "norm_added_k"}
)

// Unnormed is n where queries and keys have no norm.
func (n AttentionNames) Unnormed() AttentionNames {
	n.NormQ, n.NormK = "", ""
	return n
}

// Inward is n where the mixed values are left to someone else.
func (n AttentionNames) Inward() AttentionNames {
	n.Out = ""
	return n
}

// Bind binds the parts that n names, for streams of the given width.
func (a *Attention) Bind(w *Binder, n AttentionNames, width, headSize int) {
	w.Linear(&a.Q, n.Q, width, width)
	w.Linear(&a.K, n.K, width, width)
	w.Linear(&a.V, n.V, width, width)
	if n.Out != "" {
		w.Linear(&a.Out, n.Out, width, width)
	}
	if n.NormQ != "" {
		w.Vector(&a.NormQ, n.NormQ+".weight", headSize)
		w.Vector(&a.NormK, n.NormK+".weight", headSize)
	}
}

// Project writes the keys and values of h, one row per token, and the queries
// of its last tokens: of as many as q has rows. Where there is no rope, tokens
// have no position.
func (a *Attention) Project(o tensor.Ops, q, k, v, h, rope tensor.Tensor, heads int) {
	asking := tensor.Span{Lo: h.Rows - q.Rows, Hi: h.Rows}
	// The products follow one another in the order of their weights: a card does
	// neighbours with one left operand at once, and a processor packs it once.
	if !asking.Empty() {
		a.Q.Apply(o, q, h.In(asking), tensor.Identity)
	}
	a.K.Apply(o, k, h, tensor.Identity)
	a.V.Apply(o, v, h, tensor.Identity)

	o.QKNormRope(k, a.NormK, rope, heads, Eps)
	if asking.Empty() {
		return
	}
	if !rope.None() {
		rope = rope.In(asking)
	}
	o.QKNormRope(q, a.NormQ, rope, heads, Eps)
}

// AttentionScale is 1/√size, the usual factor on the logits of heads of that
// size.
func AttentionScale(headSize int) float32 { return float32(1 / math.Sqrt(float64(headSize))) }
