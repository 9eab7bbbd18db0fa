package trace

import "taca/internal/tensor"

// Named is a matrix somebody observed, row by row without gaps.
type Named struct {
	Name       string
	Rows, Cols int
	Values     []float32
}

// Recorder is a backend that keeps a copy of everything a model observes. It
// waits for the device at each, so it is slow, and changes no result.
type Recorder struct {
	tensor.Backend
	Prefix string // goes before the names recorded from now on: "step03/"
	seen   []Named
}

// Record wraps backend b. Whoever holds b itself is not recorded.
func Record(b tensor.Backend) *Recorder { return &Recorder{Backend: b} }

// Observe implements tensor.Ops by downloading t.
func (r *Recorder) Observe(name string, t tensor.Tensor) {
	values := make([]float32, t.Rows*t.Cols)
	r.Download(values, t)
	r.seen = append(r.seen, Named{r.Prefix + name, t.Rows, t.Cols, values})
	r.Backend.Observe(name, t)
}

// Take is what was observed since the last call, in order.
func (r *Recorder) Take() []Named {
	seen := r.seen
	r.seen = nil
	return seen
}
