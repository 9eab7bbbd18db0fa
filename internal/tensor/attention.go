package tensor

// AttentionSpec says how the logits of one attention are formed:
//
//	logit(i, j) = Scale · <q_i, k_j> · (Gamma if i ∈ Visual and j ∈ Text, else 1) + RelBias(j − i)
//
// Both spans count rows of the joint sequence, which are the rows of the keys;
// query i is row i of it, too, whatever rows of q are left out.
// Gamma is TACA's temperature (arXiv 2506.07986, equation 5).
type AttentionSpec struct {
	Heads        int
	Scale        float32
	Gamma        float32 // > 0; 1 is plain attention
	Text, Visual Span    // an empty span makes Gamma moot
	Causal       bool    // key j is visible to query i only if j ≤ i (CLIP)
	RelBias      Tensor  // (2·rows − 1) × heads, row j − i + rows − 1 (T5), or none
}

// VisualQueries is the rows of q that are visual, where q has the queries of the
// last tokens of k.
func (s AttentionSpec) VisualQueries(q, k Tensor) Span { return s.Visual.From(k.Rows - q.Rows) }

// Tempered reports whether Gamma changes any logit of this attention.
func (s AttentionSpec) Tempered() bool {
	return s.Gamma != 1 && !s.Text.Empty() && !s.Visual.Empty()
}
