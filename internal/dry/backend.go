package dry

import (
	"fmt"

	"taca/internal/tensor"
)

// Backend counts what a model asks of it. Values are never computed:
// downloads are zeros.
type Backend struct {
	arena     tensor.Arena
	taken     []*memory // scratch in use, lowest first
	verbs     map[string]Count
	groups    []*group
	state     int
	peakState int
	operands  map[int]int
	host      int
}

var (
	_ tensor.Backend = (*Backend)(nil)
	_ tensor.Dry     = (*Backend)(nil)
)

// Count is what all calls of one verb add up to. FLOPs counts a multiplication
// and an addition as two, and an activation or a logit's exponential as none.
type Count struct {
	Calls int
	FLOPs float64
}

// New opens a backend that has counted nothing.
func New() *Backend { return &Backend{verbs: map[string]Count{}, operands: map[int]int{}} }

// Verbs is the count of each verb that was called, by its name in tensor.Ops.
func (b *Backend) Verbs() map[string]Count { return b.verbs }

// FLOPs is the arithmetic of all verbs so far.
func (b *Backend) FLOPs() float64 {
	sum := 0.0
	for _, c := range b.verbs {
		sum += c.FLOPs
	}
	return sum
}

// WeightBytes is the size of all weights that were ever bound, in the format
// they were bound in.
func (b *Backend) WeightBytes() int {
	sum := 0
	for _, g := range b.groups {
		for _, n := range g.sizes {
			sum += n
		}
	}
	return sum
}

// PeakState is the most bytes of New that lived at once.
func (b *Backend) PeakState() int { return b.peakState }

// PeakScratch is the greatest height of the scratch arena in bytes: what
// Reserve must be given before the same verbs run on a device.
func (b *Backend) PeakScratch() int { return b.arena.Peak() }

// Operands is, by the number of columns of the result, the most elements that
// the left operand of a matrix product had: what a backend may want to pack.
func (b *Backend) Operands() map[int]int { return b.operands }

// HostBytes is the size of all arrays that were uploaded or downloaded.
func (b *Backend) HostBytes() int { return b.host }

// Dry makes b a tensor.Dry.
func (b *Backend) Dry() {}

// Name is "dry".
func (b *Backend) Name() string { return "dry" }

// Arithmetic is none.
func (b *Backend) Arithmetic() string { return "none" }

// New counts state; no memory is taken.
func (b *Backend) New(rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	if rows < 0 || cols < 0 {
		panic(fmt.Sprintf("dry: New of %d×%d", rows, cols))
	}
	m := &memory{elements: rows * cols, dtype: d}
	b.state += m.Bytes()
	b.peakState = max(b.peakState, b.state)
	return m.whole(rows, cols), nil
}

// Free takes state from the count of what lives.
func (b *Backend) Free(t tensor.Tensor) {
	m := t.Mem.(*memory)
	if m.dead != "" {
		panic("dry: Free of memory that was " + m.dead)
	}
	m.dead = "freed"
	b.state -= m.Bytes()
}

// Scratch raises the arena.
func (b *Backend) Scratch(rows, cols int, d tensor.DType) tensor.Tensor {
	if rows < 0 || cols < 0 {
		panic(fmt.Sprintf("dry: Scratch of %d×%d", rows, cols))
	}
	stride := tensor.ScratchStride(rows, cols, d)
	m := &memory{elements: rows * stride, dtype: d, below: b.arena.Mark()}
	b.arena.Take(m.Bytes())
	b.taken = append(b.taken, m)
	t := m.whole(rows, cols)
	t.Stride = stride
	return t
}

// Mark is the height of the arena.
func (b *Backend) Mark() tensor.Mark { return b.arena.Mark() }

// Release lowers the arena; what was taken since m must not be used again.
func (b *Backend) Release(m tensor.Mark) {
	b.arena.Release(m)
	for n := len(b.taken); n > 0 && b.taken[n-1].below >= m; n-- {
		b.taken[n-1].dead = "released"
		b.taken = b.taken[:n-1]
	}
}

// Reserve does nothing: the arena is a number.
func (b *Backend) Reserve(int) error { return nil }

// Sync does nothing.
func (b *Backend) Sync() error { return nil }

// Close does nothing.
func (b *Backend) Close() error { return nil }

// Err is nil: nothing here can fail.
func (b *Backend) Err() error { return nil }

// Observe ignores the tensor.
func (b *Backend) Observe(string, tensor.Tensor) {}
