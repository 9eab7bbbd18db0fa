package modeltest

import "taca/internal/tensor"

// Spy is a backend that remembers how attention was asked for.
type Spy struct {
	tensor.Backend
	Specs []tensor.AttentionSpec
	After func() // called after each attention, unless nil
}

// Attention implements tensor.Ops.
func (s *Spy) Attention(dst, q, k, v tensor.Tensor, spec tensor.AttentionSpec) {
	s.Specs = append(s.Specs, spec)
	s.Backend.Attention(dst, q, k, v, spec)
	if s.After != nil {
		s.After()
	}
}
