package sampler

import "math"

// Reuse is what a run took from its cache.
type Reuse struct {
	Steps int `json:"steps"` // that left out all blocks but the first
	// Error is an estimate of how far the latents are off, relatively: the sum of
	// what these steps overlooked, which is the change of the first block times
	// the way the latents went. It supposes that all blocks change as the first
	// does, and that errors point the same way.
	Error float64 `json:"error_estimate"`
}

// add counts a step that overlooked a change on the latents' way.
func (r *Reuse) add(change float64, from, to []float32) {
	r.Steps++
	way := make([]float32, len(to))
	for i, v := range to {
		way[i] = v - from[i]
	}
	r.Error += change * length(way)
}

// relativeTo makes the error one of the latents that came out.
func (r *Reuse) relativeTo(latents []float32) {
	if r.Error > 0 {
		r.Error /= length(latents)
	}
}

func length(values []float32) float64 {
	sum := 0.0
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum)
}
