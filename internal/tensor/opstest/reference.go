package opstest

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"taca/internal/tensor"
)

// reference is a backend in plain Go that does each verb as its definition
// reads. What it rounds, and when, makes it one of three backends.
type reference struct {
	name   string
	narrow bool                  // sums and inner steps are rounded to F32
	keep   func(float64) float64 // rounds what naive code would store on the way, or nil
	exact  bool                  // results are not rounded to their format
	arena  tensor.Arena
	taken  []taken
}

// taken is scratch that is in use, and the height of the arena below it.
type taken struct {
	below tensor.Mark
	mem   *memory
}

var _ tensor.Backend = (*reference)(nil)

// NewReference opens a backend that computes in float64 and rounds once, when
// a result is stored in its tensor's format.
func NewReference() tensor.Backend { return &reference{name: "reference, float64"} }

// NewExact opens a backend that never rounds: tensors hold float64 whatever
// their format says. Only uploads are rounded, so that all backends start from
// the same numbers.
func NewExact() tensor.Backend { return &reference{name: "exact, float64", exact: true} }

// NewNaive opens a backend that works as straightforward code in d does: sums
// one element after the other in F32, and every intermediate matrix (logits,
// probabilities, products, normalised rows) stored in d. Its error is the
// yardstick for the error of others.
func NewNaive(d tensor.DType) tensor.Backend {
	return &reference{name: "naive, " + d.String(), narrow: true, keep: func(v float64) float64 { return round(d, v) }}
}

// Name says which of the three backends this is.
func (r *reference) Name() string { return r.name }

// Arithmetic is what Go makes of float64.
func (r *reference) Arithmetic() string { return r.name }

// New is zeroed memory.
func (r *reference) New(rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	return view(&memory{values: make([]float64, rows*cols), dtype: d}, rows, cols, d), nil
}

// Free makes every later use of t panic.
func (r *reference) Free(t tensor.Tensor) { t.Mem.(*memory).values = nil }

// Scratch is memory full of NaN, so that a model which reads before it writes
// is found out.
func (r *reference) Scratch(rows, cols int, d tensor.DType) tensor.Tensor {
	m := &memory{values: make([]float64, rows*cols), dtype: d}
	m.poison()
	r.taken = append(r.taken, taken{r.arena.Mark(), m})
	r.arena.Take(rows * cols * d.Size())
	return view(m, rows, cols, d)
}

// Mark is the height of the arena.
func (r *reference) Mark() tensor.Mark { return r.arena.Mark() }

// Release frees the scratch taken since m and fills it with NaN, so that a
// model which still uses it is found out.
func (r *reference) Release(m tensor.Mark) {
	r.arena.Release(m)
	for n := len(r.taken); n > 0 && r.taken[n-1].below >= m; n-- {
		r.taken[n-1].mem.poison()
		r.taken = r.taken[:n-1]
	}
}

// Reserve does nothing: scratch comes from Go's heap.
func (r *reference) Reserve(int) error { return nil }

// Observe ignores the tensor.
func (r *reference) Observe(string, tensor.Tensor) {}

// Err is nil: Go's arithmetic does not fail.
func (r *reference) Err() error { return nil }

// Sync does nothing: verbs have finished when they return.
func (r *reference) Sync() error { return nil }

// Close does nothing: the memory is Go's.
func (r *reference) Close() error { return nil }

// NewGroup makes an empty group.
func (r *reference) NewGroup() tensor.Group { return &group{} }

// group is weights in the bytes they were bound with.
type group struct{ bound []*memory }

// Bind wraps raw, which may be unaligned.
func (g *group) Bind(raw []byte, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	if err := tensor.CheckBind(raw, rows, cols, d); err != nil {
		return tensor.Tensor{}, fmt.Errorf("opstest: %w", err)
	}
	m := &memory{raw: raw, dtype: d}
	g.bound = append(g.bound, m)
	return tensor.Weights(m, rows, cols, d), nil
}

// Need does nothing: weights are always there.
func (g *group) Need(tensor.Group) {}

// Keep does nothing either.
func (g *group) Keep() {}

// Seldom does nothing.
func (g *group) Seldom() {}

// Drop makes every later use of the weights panic.
func (g *group) Drop() {
	for _, m := range g.bound {
		m.raw = nil
	}
	g.bound = nil
}

// memory holds values, or the bytes of weights.
type memory struct {
	values []float64
	raw    []byte
	dtype  tensor.DType
}

// Bytes is what the memory would take in its own format.
func (m *memory) Bytes() int { return max(len(m.raw), len(m.values)*m.dtype.Size()) }

func (m *memory) poison() {
	for i := range m.values {
		m.values[i] = math.NaN()
	}
}

func view(m *memory, rows, cols int, d tensor.DType) tensor.Tensor {
	return tensor.Tensor{Rows: rows, Cols: cols, Stride: cols, DType: d, Mem: m}
}

// load reads row i of t into row, or into new memory where row is nil.
func load(t tensor.Tensor, i int, row []float64) []float64 {
	if row == nil {
		row = make([]float64, t.Cols)
	}
	m, at := t.Mem.(*memory), t.Offset+i*t.Stride
	if m.values != nil {
		copy(row, m.values[at:at+t.Cols])
		return row
	}
	switch {
	case t.DType.Rotated():
		dequantised(t.DType, m.raw[at:], row)
	case t.DType.Quantised():
		unblock(t.DType, m.raw[at:], row)
	default:
		for j := range row {
			row[j] = decode(t.DType, m.raw, at+j)
		}
	}
	scaled(t, row)
	return row
}

// loadAll reads all rows of t, one after the other.
func loadAll(t tensor.Tensor) []float64 {
	all := make([]float64, t.Rows*t.Cols)
	for i := range t.Rows {
		load(t, i, all[i*t.Cols:(i+1)*t.Cols])
	}
	return all
}

// vector reads a 1 × n operand; nil where there is none.
func vector(t tensor.Tensor) []float64 {
	if t.None() {
		return nil
	}
	return load(t, 0, nil)
}

// store writes row i of t.
func (r *reference) store(t tensor.Tensor, i int, row []float64) {
	to := t.Mem.(*memory).values[t.Offset+i*t.Stride:][:t.Cols]
	if r.exact {
		copy(to, row)
		return
	}
	for j, v := range row {
		to[j] = round(t.DType, v)
	}
}

// step rounds the result of an inner step.
func (r *reference) step(v float64) float64 {
	if r.narrow {
		return float64(float32(v))
	}
	return v
}

// kept rounds what naive code would store on the way.
func (r *reference) kept(v float64) float64 {
	if r.keep != nil {
		return r.keep(v)
	}
	return v
}

// parallel shares units [0, n) among the processors.
func parallel(n int, do func(lo, hi int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		do(0, n)
		return
	}
	var done sync.WaitGroup
	for i := range workers {
		done.Go(func() { do(i*n/workers, (i+1)*n/workers) })
	}
	done.Wait()
}
