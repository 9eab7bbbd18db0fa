package cpu

import (
	"fmt"

	"taca/internal/tensor"
)

// group is weights in the checkpoint's own mapping: the operating system is
// the cache, and nothing is copied.
type group struct {
	of    *Backend
	bound []*memory
}

// NewGroup makes an empty group. The backend knows its groups so that the
// collector does not take their memory while C works on it.
func (b *Backend) NewGroup() tensor.Group {
	g := &group{of: b}
	b.groups[g] = true
	return g
}

// Bind wraps raw as it is.
func (g *group) Bind(raw []byte, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	if err := tensor.CheckBind(raw, rows, cols, d); err != nil {
		return tensor.Tensor{}, fmt.Errorf("cpu: %w", err)
	}
	m := &memory{data: raw}
	g.bound = append(g.bound, m)
	return tensor.Weights(m, rows, cols, d), nil
}

// Need does nothing: a mapping is always there.
func (g *group) Need(tensor.Group) {}

// Keep does nothing either.
func (g *group) Keep() {}

// Seldom does nothing: the operating system sees which pages are used.
func (g *group) Seldom() {}

// Drop forgets the windows, so that a use after it fails instead of reading
// an unmapped file.
func (g *group) Drop() {
	for _, m := range g.bound {
		m.data = nil
	}
	g.bound = nil
	delete(g.of.groups, g)
}
