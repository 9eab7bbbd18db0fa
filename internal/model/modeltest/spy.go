package modeltest

import "taca/internal/tensor"

// Spy is a backend that remembers how attention and products were asked for, and
// how often weights were.
type Spy struct {
	tensor.Backend
	Specs    []tensor.AttentionSpec
	Products []Product
	After    func() // called after each attention, unless nil
	Needs    int    // of all groups
}

// Attention implements tensor.Ops.
func (s *Spy) Attention(dst, q, k, v tensor.Tensor, spec tensor.AttentionSpec) {
	s.Specs, s.Products = append(s.Specs, spec), append(s.Products, Product{})
	s.Backend.Attention(dst, q, k, v, spec)
	if s.After != nil {
		s.After()
	}
}

// QKNormRope is remembered for standing between products.
func (s *Spy) QKNormRope(x, gain, rope tensor.Tensor, heads int, eps float32) {
	s.Products = append(s.Products, Product{})
	s.Backend.QKNormRope(x, gain, rope, heads, eps)
}

// Product is what is multiplied, and where the result goes; or an attention or a
// norm of queries between products, where it is zero.
type Product struct{ Dst, X tensor.Tensor }

// Linear implements tensor.Ops.
func (s *Spy) Linear(dst, x, w, bias tensor.Tensor, act tensor.Activation) {
	s.Products = append(s.Products, Product{dst, x})
	s.Backend.Linear(dst, x, w, bias, act)
}

// Neighbours is how many times three products with one left operand and results
// of one shape follow one another, as queries, keys and values do. Products of
// one row are modulation's.
func (s *Spy) Neighbours() int {
	n := 0
	for i := 2; i < len(s.Products); i++ {
		a, b, c := s.Products[i-2], s.Products[i-1], s.Products[i]
		if a.X == b.X && b.X == c.X && a.X.Rows > 1 && a.Dst.Cols == b.Dst.Cols && b.Dst.Cols == c.Dst.Cols {
			n++
		}
	}
	return n
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
