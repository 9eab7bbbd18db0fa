package opstest

import (
	"math"

	"taca/internal/tensor"
)

// Attention forms all logits of a head, as the definition reads.
func (r *reference) Attention(dst, q, k, v tensor.Tensor, s tensor.AttentionSpec) {
	tensor.CheckAttention(dst, q, k, v, s)
	size, first := q.Cols/s.Heads, k.Rows-q.Rows
	for h := range s.Heads {
		lo, hi := h*size, (h+1)*size
		keys, values := loadAll(k.ColRange(lo, hi)), transposed(v.ColRange(lo, hi))
		bias := relative(s, h)
		parallel(q.Rows, func(from, end int) {
			for i := from; i < end; i++ {
				query := load(q.ColRange(lo, hi), i, nil)
				p := r.softmax(r.logits(query, keys, first+i, bias, s))
				mixed := make([]float64, size)
				for c := range mixed {
					mixed[c] = r.dot(p, values[c*k.Rows:(c+1)*k.Rows])
				}
				r.store(dst.ColRange(lo, hi), i, mixed)
			}
		})
	}
}

// AttentionStats adds up what the definition of Attention spends on text keys.
func (r *reference) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	tensor.CheckAttentionStats(stats, maps, q, k, s)
	size, visual, text := q.Cols/s.Heads, stats.Cols, max(0, s.Text.Len())
	mean := make([]float64, visual*text)
	for h := range s.Heads {
		lo, hi := h*size, (h+1)*size
		keys := loadAll(k.ColRange(lo, hi))
		shares, entropies := make([]float64, visual), make([]float64, visual)
		parallel(visual, func(first, end int) {
			for i := first; i < end; i++ {
				row := s.Visual.Lo + i
				query := load(q.ColRange(lo, hi), row-(k.Rows-q.Rows), nil)
				p := r.softmax(r.logits(query, keys, row, nil, s))
				for j, spent := range p {
					if s.Text.Has(j) {
						shares[i] = r.step(shares[i] + spent)
						at := i*text + j - s.Text.Lo
						mean[at] = r.step(mean[at] + r.step(spent/float64(s.Heads)))
					}
					if spent > 0 {
						entropies[i] = r.step(entropies[i] - r.step(spent*r.step(math.Log(spent))))
					}
				}
			}
		})
		r.store(stats, h, shares)
		r.store(stats, s.Heads+h, entropies)
	}
	for i := range visual {
		if !maps.None() {
			r.store(maps, i, mean[i*text:(i+1)*text])
		}
	}
}

// transposed reads t column by column.
func transposed(t tensor.Tensor) []float64 {
	rows, out := loadAll(t), make([]float64, t.Rows*t.Cols)
	for i := range t.Rows {
		for c := range t.Cols {
			out[c*t.Rows+i] = rows[i*t.Cols+c]
		}
	}
	return out
}

// relative is the bias of head h by distance, or nil.
func relative(s tensor.AttentionSpec, h int) []float64 {
	if s.RelBias.None() {
		return nil
	}
	return loadAll(s.RelBias.ColRange(h, h+1))
}

// logits are those of query i, up to itself where the attention is causal.
func (r *reference) logits(query, keys []float64, i int, bias []float64, s tensor.AttentionSpec) []float64 {
	size := len(query)
	rows := len(keys) / size
	seen := rows
	if s.Causal {
		seen = i + 1
	}
	out := make([]float64, seen)
	for j := range out {
		l := r.kept(r.dot(query, keys[j*size:(j+1)*size]))
		l = r.kept(r.step(float64(s.Scale) * l))
		if s.Tempered() && s.Visual.Has(i) && s.Text.Has(j) {
			l = r.kept(r.step(float64(s.Gamma) * l))
		}
		if bias != nil {
			l = r.kept(r.step(l + bias[j-i+rows-1]))
		}
		out[j] = l
	}
	return out
}

// softmax works in place.
func (r *reference) softmax(logits []float64) []float64 {
	most := math.Inf(-1)
	for _, l := range logits {
		most = max(most, l)
	}
	var sum float64
	for j, l := range logits {
		logits[j] = r.step(math.Exp(r.step(l - most)))
		sum = r.step(sum + logits[j])
	}
	for j := range logits {
		logits[j] = r.kept(r.step(logits[j] / sum))
	}
	return logits
}
