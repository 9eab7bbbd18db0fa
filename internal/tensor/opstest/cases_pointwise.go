package opstest

import (
	"fmt"

	"taca/internal/tensor"
)

// pointwise is one case of a verb that works element by element.
type pointwise struct {
	verb       string
	rows, cols int
	f          formats3                                    // w is the second operand's
	alias      int                                         // the result is the first operand (1), the second (2), or neither
	do         func(s *stage, dst, x, y tensor.Tensor)     // does the verb
	in         func(s *stage, p pointwise) []tensor.Tensor // makes x and y
	scale      scale
	strided    bool
}

func (p pointwise) testCase(what string) testCase {
	return testCase{
		name:   fmt.Sprintf("%s/%s %d×%d %v", p.verb, what, p.rows, p.cols, p.f),
		result: p.f.dst, scale: p.scale, strided: p.strided,
		build: func(s *stage) (tensor.Tensor, func()) {
			operands := p.in(s, p)
			dst := operands[max(p.alias-1, 0)]
			if p.alias == 0 {
				dst = s.blank(p.rows, p.cols, p.f.dst)
			}
			return dst, func() { p.do(s, dst, operands[0], operands[1]) }
		},
	}
}

func twoInputs(s *stage, p pointwise) []tensor.Tensor {
	return []tensor.Tensor{s.input(p.rows, p.cols, p.f.x), s.input(p.rows, p.cols, p.f.w)}
}

func pointwiseCases() []testCase {
	all := append(activateCases(), gateCases()...)
	mul := func(s *stage, dst, x, y tensor.Tensor) { s.b.Mul(dst, x, y) }
	euler := func(s *stage, dst, x, y tensor.Tensor) { s.b.Mix(dst, 1, x, -0.0713, y) }
	guide := func(s *stage, dst, x, y tensor.Tensor) { s.b.Mix(dst, 4.5, x, -3.5, y) }
	all = append(all, binaryCases("Mul", mul)...)
	all = append(all, binaryCases("Mix", euler)...)
	for _, d := range activationTypes {
		p := pointwise{verb: "Mix", rows: 9, cols: 64, f: formats3{d, d, d}, do: guide, in: twoInputs}
		all = append(all, p.testCase("guidance"))
	}
	return all
}

// binaryCases are all ways to combine two activations.
func binaryCases(verb string, do func(s *stage, dst, x, y tensor.Tensor)) []testCase {
	var all []testCase
	add := func(what string, p pointwise) {
		p.verb, p.do, p.in = verb, do, twoInputs
		all = append(all, p.testCase(what))
	}
	for _, x := range activationTypes {
		for _, y := range activationTypes {
			for _, dst := range activationTypes {
				add("formats", pointwise{rows: 3, cols: 67, f: formats3{x, y, dst}})
				add("formats, even", pointwise{rows: 3, cols: 68, f: formats3{x, y, dst}})
			}
		}
	}
	for _, d := range activationTypes {
		f := formats3{d, d, d}
		add("one", pointwise{rows: 1, cols: 1, f: f})
		add("strided", pointwise{rows: 5, cols: 35, f: f, strided: true})
		add("into the first", pointwise{rows: 5, cols: 35, f: f, alias: 1, strided: true})
		add("into the second", pointwise{rows: 5, cols: 35, f: f, alias: 2})
		add("no rows", pointwise{rows: 0, cols: 35, f: f, strided: true})
		add("large", pointwise{rows: 64, cols: 3072, f: f, scale: large})
		add("huge", pointwise{rows: 1024, cols: 3072, f: f, scale: huge})
	}
	return all
}

func activateCases() []testCase {
	var all []testCase
	for _, a := range activations {
		do := func(s *stage, dst, x, _ tensor.Tensor) { s.b.Activate(dst, x, a) }
		wide := func(s *stage, p pointwise) []tensor.Tensor {
			x := s.normal(p.rows*p.cols, 0, 4)
			copy(x, []float64{0, 100, -100, 30, -30, 10, -10, 5.5, -5.5})
			t := s.state(p.rows, p.cols, p.f.x, x)
			return []tensor.Tensor{t, t}
		}
		for _, x := range activationTypes {
			for _, dst := range activationTypes {
				p := pointwise{verb: "Activate", rows: 9, cols: 131, f: formats3{x, x, dst}, do: do, in: wide}
				all = append(all, p.testCase(a.String()))
				p.cols = 132
				all = append(all, p.testCase(a.String()+", even"))
			}
			p := pointwise{verb: "Activate", rows: 9, cols: 33, f: formats3{x, x, x}, do: do, in: wide, alias: 1, strided: true}
			all = append(all, p.testCase(a.String()+" in place"))
			p = pointwise{verb: "Activate", rows: 1024, cols: 3072, f: formats3{x, x, x}, do: do, in: wide, scale: huge}
			all = append(all, p.testCase(a.String()+" huge"))
		}
	}
	return all
}

func gateCases() []testCase {
	var all []testCase
	gated := func(what string, gate func(s *stage, n int) tensor.Tensor, p pointwise) {
		p.verb, p.alias, p.in = "GatedAdd", 1, twoInputs
		p.do = func(s *stage, _, x, y tensor.Tensor) {
			g := none
			if gate != nil {
				g = gate(s, p.cols)
				s.weights.Need(nil)
			}
			s.b.GatedAdd(x, y, g)
		}
		all = append(all, p.testCase(what))
	}
	for _, x := range activationTypes {
		for _, y := range activationTypes {
			f := formats3{x, y, x}
			for _, w := range weightTypes {
				gated("gate "+w.String(), func(s *stage, n int) tensor.Tensor { return s.vector(n, w) }, pointwise{rows: 4, cols: 67, f: f})
				gated("gate "+w.String()+", even", func(s *stage, n int) tensor.Tensor { return s.vector(n, w) }, pointwise{rows: 4, cols: 136, f: f})
				gated("gate "+w.String()+", shifted", func(s *stage, n int) tensor.Tensor { return s.vector(n+1, w).ColRange(1, n+1) }, pointwise{rows: 2, cols: 136, f: f})
			}
			gated("no gate", nil, pointwise{rows: 4, cols: 67, f: f})
		}
		f := formats3{x, x, x}
		moving := func(s *stage, n int) tensor.Tensor { return s.input(1, n, tensor.F32) }
		gated("strided", moving, pointwise{rows: 4, cols: 35, f: f, strided: true})
		gated("strided, no gate", nil, pointwise{rows: 4, cols: 35, f: f, strided: true})
		gated("no rows", moving, pointwise{rows: 0, cols: 35, f: f, strided: true})
		gated("large", moving, pointwise{rows: 64, cols: 3072, f: f, scale: large})
		gated("huge", moving, pointwise{rows: 1024, cols: 3072, f: f, scale: huge})
	}
	return all
}
