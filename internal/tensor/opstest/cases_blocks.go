package opstest

import (
	"fmt"

	"taca/internal/tensor"
)

// blockCases multiply by, copy and gather weights in ggml's blocks.
func blockCases() []testCase {
	var all []testCase
	add := func(what string, l linear) { all = append(all, l.testCase(what)) }
	for _, w := range blockFormats {
		g := w.Grain()
		for _, x := range activationTypes {
			for _, dst := range activationTypes {
				add("blocks", linear{n: 18, in: 2 * g, out: 43, f: formats3{x, w, dst}, bias: true, act: tensor.GELUTanh})
				add("blocks, few rows", linear{n: 3, in: 3 * g, out: 43, f: formats3{x, w, dst}, bias: true})
			}
			f := formats3{x, w, x}
			for _, size := range [][3]int{{1, 1, 1}, {1, 5, 40}, {6, 9, 17}, {49, 7, 33}, {100, 3, 65}} {
				add("blocks size", linear{n: size[0], in: size[1] * g, out: size[2], f: f, bias: true})
			}
			add("blocks strided", linear{n: 21, in: g, out: 27, f: f, act: tensor.SiLU, strided: true})
			add("blocks no rows", linear{n: 0, in: g, out: 24, f: f})
			add("blocks deep", linear{n: 20, in: 3328, out: 200, f: f, bias: true, scale: large})
			add("blocks huge", linear{n: 1024, in: 3072, out: 3072, f: f, bias: true, scale: huge})
		}
		all = append(all, quantisedPart(w, g), quantisedZeros(w, g))
		for _, dst := range activationTypes {
			for _, blocks := range []int{1, 3, 10} {
				all = append(all, dequantise(w, dst, blocks*g))
			}
			all = append(all, gather(w, dst, g, false), gather(w, dst, 3*g, true))
		}
	}
	return all
}

// scaledCases have weights of 8 bits with a scale for all of them.
func scaledCases() []testCase {
	var all []testCase
	for _, w := range []tensor.DType{tensor.F8E4M3, tensor.F8E5M2} {
		for _, x := range activationTypes {
			for _, dst := range activationTypes {
				for _, l := range []linear{
					{n: 3, in: 72, out: 43, bias: true}, {n: 18, in: 72, out: 40, bias: true, act: tensor.GELUTanh},
					{n: 100, in: 264, out: 64, bias: true}, {n: 9, in: 41, out: 27, act: tensor.SiLU, strided: true},
				} {
					l.f = formats3{x, w, dst}
					all = append(all, l.scaled())
				}
			}
			all = append(all, scaledNeighbours(w, x), scaledMove("Copy", w, x), scaledMove("Gather", w, x))
		}
	}
	return all
}

// scaled is l with a scale on its weights.
func (l linear) scaled() testCase {
	c := l.testCase("scaled")
	c.build = func(s *stage) (tensor.Tensor, func()) {
		x, w, bias := s.input(l.n, l.in, l.f.x), s.weight(l.out, l.in, l.f.w, 1), none
		dst := s.blank(l.n, l.out, l.f.dst)
		if l.bias {
			bias = s.vector(l.out, tensor.F32)
		}
		w.Scale = 0.37
		return dst, func() { s.b.Linear(dst, x, w, bias, l.act) }
	}
	return c
}

// scaledNeighbours are products of one x that a backend may join, but for their
// scales.
func scaledNeighbours(w, d tensor.DType) testCase {
	return testCase{name: fmt.Sprintf("Linear/scaled, neighbours %v·%v", d, w), result: d, build: func(s *stage) (tensor.Tensor, func()) {
		x, dst := s.input(20, 64, d), s.blank(20, 3*32, d)
		var weights [3]tensor.Tensor
		for i := range weights {
			weights[i] = s.weight(32, 64, w, 1)
			weights[i].Scale = [...]float32{0.37, 0.37, 2.5}[i]
		}
		return dst, func() {
			for i, w := range weights {
				s.b.Linear(dst.ColRange(32*i, 32*i+32), x, w, none, tensor.Identity)
			}
		}
	}}
}

// scaledMove copies or gathers. The scale is of few bits: no rounding is twice.
func scaledMove(verb string, w, d tensor.DType) testCase {
	return testCase{name: fmt.Sprintf("%s/scaled %v→%v", verb, w, d), result: d, exact: true, build: func(s *stage) (tensor.Tensor, func()) {
		t, to := s.weight(30, 67, w, 1), s.blank(30, 67, d)
		t.Scale = 0.6875
		if verb == "Copy" {
			return to, func() { s.b.Copy(to, t) }
		}
		to = s.blank(4, 67, d)
		return to, func() { s.b.Gather(to, t, []int32{29, 0, 7, 7}) }
	}}
}
