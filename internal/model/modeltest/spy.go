package modeltest

import "taca/internal/tensor"

// Spy is a backend that remembers how attention was asked for, and how often
// weights were.
type Spy struct {
	tensor.Backend
	Specs []tensor.AttentionSpec
	After func() // called after each attention, unless nil
	Needs int    // of all groups
}

// Attention implements tensor.Ops.
func (s *Spy) Attention(dst, q, k, v tensor.Tensor, spec tensor.AttentionSpec) {
	s.Specs = append(s.Specs, spec)
	s.Backend.Attention(dst, q, k, v, spec)
	if s.After != nil {
		s.After()
	}
}

// NewGroup counts what is needed of it.
func (s *Spy) NewGroup() tensor.Group { return &needed{s.Backend.NewGroup(), s} }

type needed struct {
	tensor.Group
	by *Spy
}

func (g *needed) Need(next tensor.Group) {
	g.by.Needs++
	if n, ok := next.(*needed); ok {
		next = n.Group
	}
	g.Group.Need(next)
}
