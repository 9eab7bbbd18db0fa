package opstest

import (
	"fmt"

	"taca/internal/tensor"
)

// normed is one case of a norm of rows.
type normed struct {
	verb       string
	rows, cols int
	f          formats3
	in         func(s *stage, rows, cols int, d tensor.DType) tensor.Tensor
	inPlace    bool
	moving     bool // the vectors are activations, as modulation makes them
	shifted    bool // the vectors begin in the middle of others
	scale      scale
	strided    bool
}

func (n normed) testCase(what string) testCase {
	return testCase{
		name:   fmt.Sprintf("%s/%s %d×%d %v", n.verb, what, n.rows, n.cols, n.f),
		result: n.f.dst, scale: n.scale, strided: n.strided,
		build: func(s *stage) (tensor.Tensor, func()) {
			x := n.in(s, n.rows, n.cols, n.f.x)
			dst := x
			if !n.inPlace {
				dst = s.blank(n.rows, n.cols, n.f.dst)
			}
			vector := s.vector
			if n.moving {
				vector = func(n int, d tensor.DType) tensor.Tensor { return s.input(1, n, d) }
			}
			if n.shifted {
				vector = func(n int, d tensor.DType) tensor.Tensor { return s.vector(n+1, d).ColRange(1, n+1) }
			}
			a, b := vector(n.cols, n.f.w), vector(n.cols, n.f.w)
			return dst, func() {
				switch n.verb {
				case "ModulatedNorm":
					s.b.ModulatedNorm(dst, x, a, b, 1e-6)
				case "LayerNorm":
					s.b.LayerNorm(dst, x, a, b, 1e-5)
				default:
					s.b.RMSNorm(dst, x, a, 1e-6)
				}
			}
		},
	}
}

func normCases() []testCase {
	var all []testCase
	for _, verb := range []string{"ModulatedNorm", "LayerNorm", "RMSNorm"} {
		all = append(all, normCasesOf(verb)...)
	}
	return all
}

func normCasesOf(verb string) []testCase {
	var all []testCase
	add := func(what string, n normed) {
		n.verb = verb
		if n.in == nil {
			n.in = (*stage).input
		}
		all = append(all, n.testCase(what))
	}
	for _, f := range every() {
		add("formats", normed{rows: 4, cols: 70, f: f})
		add("formats, even", normed{rows: 3, cols: 136, f: f})
		add("formats, shifted vectors", normed{rows: 3, cols: 136, f: f, shifted: true})
		add("formats, long", normed{rows: 1, cols: 3600, f: f})
		add("formats, long and odd", normed{rows: 1, cols: 1001, f: f})
	}
	for _, f := range usual {
		for _, size := range [][2]int{{1, 64}, {3, 1}, {2, 2}, {5, 129}, {3, 1536}, {2, 4099}} {
			add("size", normed{rows: size[0], cols: size[1], f: f})
		}
		add("uneven", normed{rows: 8, cols: 96, f: f, in: (*stage).uneven})
		add("in place", normed{rows: 5, cols: 72, f: formats3{f.dst, f.w, f.dst}, inPlace: true})
		add("strided", normed{rows: 5, cols: 73, f: f, strided: true})
		add("strided in place", normed{rows: 5, cols: 73, f: formats3{f.dst, f.w, f.dst}, strided: true, inPlace: true})
		add("no rows", normed{rows: 0, cols: 64, f: f, strided: true})
		add("large", normed{rows: 64, cols: 3072, f: f, scale: large})
		add("huge", normed{rows: 1024, cols: 3072, f: f, scale: huge})
	}
	for _, d := range activationTypes {
		f := formats3{d, tensor.F32, d}
		add("moving vectors", normed{rows: 5, cols: 70, f: f, moving: true, strided: true})
		// In one pass, E[x²] - E[x]² would lose the variance.
		add("far from zero", normed{rows: 3, cols: 600, f: f, in: around(1000, 1)})
		add("huge values", normed{rows: 3, cols: 600, f: f, in: around(0, 1e6)})
	}
	return all
}

// around makes inputs of the given mean and spread.
func around(mean, spread float64) func(s *stage, rows, cols int, d tensor.DType) tensor.Tensor {
	return func(s *stage, rows, cols int, d tensor.DType) tensor.Tensor {
		return s.state(rows, cols, d, s.normal(rows*cols, mean, spread))
	}
}

// qk is one case of QKNormRope.
type qk struct {
	rows, heads, size int
	f                 formats3
	gain, rope        bool
	in                func(s *stage, rows, cols int, d tensor.DType) tensor.Tensor
	scale             scale
	strided           bool
}

func qkCases() []testCase {
	var all []testCase
	add := func(what string, q qk) {
		if q.in == nil {
			q.in = (*stage).input
		}
		all = append(all, testCase{
			name:   fmt.Sprintf("QKNormRope/%s %d rows, %d×%d %v", what, q.rows, q.heads, q.size, q.f),
			result: q.f.dst, scale: q.scale, strided: q.strided,
			build: func(s *stage) (tensor.Tensor, func()) {
				x, gain, rope := q.in(s, q.rows, q.heads*q.size, q.f.x), none, none
				if q.gain {
					gain = s.vector(q.size, q.f.w)
				}
				if q.rope {
					rope = s.input(q.rows, q.size, tensor.F32)
				}
				return x, func() { s.b.QKNormRope(x, gain, rope, q.heads, 1e-6) }
			},
		})
	}
	for _, d := range activationTypes {
		for _, w := range weightTypes {
			add("formats", qk{rows: 3, heads: 2, size: 24, f: formats3{d, w, d}, gain: true, rope: true})
			add("formats, even", qk{rows: 5, heads: 3, size: 32, f: formats3{d, w, d}, gain: true, rope: true})
		}
		f := formats3{d, tensor.BF16, d}
		for _, size := range []int{2, 8, 16, 20, 32, 64, 128, 512} {
			add("size", qk{rows: 5, heads: 3, size: size, f: f, gain: true, rope: true})
		}
		add("one head, one row", qk{rows: 1, heads: 1, size: 64, f: f, gain: true, rope: true})
		add("gain only", qk{rows: 5, heads: 3, size: 64, f: f, gain: true})
		add("rope only", qk{rows: 5, heads: 3, size: 64, f: f, rope: true})
		add("neither", qk{rows: 5, heads: 3, size: 64, f: f})
		add("uneven", qk{rows: 8, heads: 3, size: 64, f: f, gain: true, rope: true, in: (*stage).uneven})
		add("strided", qk{rows: 5, heads: 3, size: 30, f: f, gain: true, rope: true, strided: true})
		add("no rows", qk{rows: 0, heads: 3, size: 30, f: f, gain: true, rope: true, strided: true})
		add("large", qk{rows: 64, heads: 24, size: 128, f: f, gain: true, rope: true, scale: large})
		add("huge", qk{rows: 1024, heads: 24, size: 128, f: f, gain: true, rope: true, scale: huge})
	}
	return all
}
