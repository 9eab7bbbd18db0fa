package dry

import (
	"fmt"

	"taca/internal/mapping"
	"taca/internal/tensor"
)

// memory stands for the bytes a tensor would live in.
type memory struct {
	elements int
	dtype    tensor.DType
	below    tensor.Mark // of scratch: the arena's height before it
	dead     string      // why it may not be used any more
}

// Bytes is what the memory would take.
func (m *memory) Bytes() int { return m.elements * m.dtype.Size() }

func (m *memory) whole(rows, cols int) tensor.Tensor {
	return tensor.Tensor{Rows: rows, Cols: cols, Stride: cols, DType: m.dtype, Mem: m}
}

// group counts weights.
type group struct {
	backend *Backend
	bound   []*memory
	sizes   []int // of all that was ever bound
	seldom  bool
	copied  int // bytes of that which are no window of a mapped file
}

// NewGroup makes an empty group.
func (b *Backend) NewGroup() tensor.Group {
	g := &group{backend: b}
	b.groups = append(b.groups, g)
	return g
}

// Groups is the bytes of every weight of the groups that are needed in every
// step, or seldom, in the order they were made and bound.
func (b *Backend) Groups(seldom bool) [][]int {
	var all [][]int
	for _, g := range b.groups {
		if g.seldom == seldom {
			all = append(all, g.sizes)
		}
	}
	return all
}

// Copied is, of the bytes of the same groups, those that are no windows of
// mapped files: weights made on the way from the file, or read into memory.
func (b *Backend) Copied(seldom bool) []int {
	var all []int
	for _, g := range b.groups {
		if g.seldom == seldom {
			all = append(all, g.copied)
		}
	}
	return all
}

// Bind counts a matrix; raw may be nil.
func (g *group) Bind(raw []byte, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	m := &memory{elements: rows * d.RowBytes(cols) / d.Size(), dtype: d}
	if raw != nil {
		if err := tensor.CheckBind(raw, rows, cols, d); err != nil {
			return tensor.Tensor{}, fmt.Errorf("dry: %w", err)
		}
	}
	g.bound = append(g.bound, m)
	g.sizes = append(g.sizes, m.Bytes())
	if _, mapped := mapping.Find(raw); !mapped {
		g.copied += m.Bytes()
	}
	return tensor.Weights(m, rows, cols, d), nil
}

// Need does nothing: nothing needs fetching.
func (g *group) Need(tensor.Group) {}

// Keep does nothing.
func (g *group) Keep() {}

// Seldom tells Groups.
func (g *group) Seldom() { g.seldom = true }

// Drop makes every later use of the weights panic.
func (g *group) Drop() {
	for _, m := range g.bound {
		m.dead = "dropped"
	}
	g.bound = nil
}

// read panics unless the tensors that are not none lie in living memory.
func read(verb string, operands ...tensor.Tensor) {
	for _, t := range operands {
		if t.None() {
			continue
		}
		m, ok := t.Mem.(*memory)
		switch {
		case !ok:
			panic(fmt.Sprintf("dry: %s: %v is another backend's", verb, t))
		case m.dead != "":
			panic(fmt.Sprintf("dry: %s: the memory of %v was %s", verb, t, m.dead))
		case t.DType != m.dtype:
			panic(fmt.Sprintf("dry: %s: %v lies in memory of %v", verb, t, m.dtype))
		case !empty(t) && (t.Offset < 0 || t.Stride < width(t) || last(t) >= m.elements):
			panic(fmt.Sprintf("dry: %s: %v reaches past its memory", verb, t))
		}
	}
}

// write panics unless dst is an activation that overlaps no operand. An
// operand among the same may be dst itself, but may not overlap it in part.
func write(verb string, dst tensor.Tensor, same []tensor.Tensor, others ...tensor.Tensor) {
	read(verb, dst)
	read(verb, same...)
	read(verb, others...)
	if dst.DType != tensor.F32 && dst.DType != tensor.BF16 {
		panic(fmt.Sprintf("dry: %s: the result is %v, want F32 or BF16", verb, dst))
	}
	for _, t := range same {
		if t != dst && overlap(t, dst) {
			panic(fmt.Sprintf("dry: %s: the result %v overlaps the operand %v in part", verb, dst, t))
		}
	}
	for _, t := range others {
		if overlap(t, dst) {
			panic(fmt.Sprintf("dry: %s: the result %v overlaps the operand %v", verb, dst, t))
		}
	}
}

func empty(t tensor.Tensor) bool { return t.Rows == 0 || t.Cols == 0 }

// last is the last element of t in its memory.
func last(t tensor.Tensor) int { return t.Offset + (t.Rows-1)*t.Stride + width(t) - 1 }

// width is the elements of a row of t.
func width(t tensor.Tensor) int { return t.DType.RowBytes(t.Cols) / t.DType.Size() }

// overlap reports whether two views share an element. Views of different
// strides are taken for the ranges they span.
func overlap(a, b tensor.Tensor) bool {
	if a.None() || b.None() || a.Mem != b.Mem || empty(a) || empty(b) || last(a) < b.Offset || last(b) < a.Offset {
		return false
	}
	if a.Stride != b.Stride {
		return true
	}
	s := a.Stride
	lo, hi := a.Offset%s, b.Offset%s
	return lo < hi+b.Cols && hi < lo+a.Cols
}
