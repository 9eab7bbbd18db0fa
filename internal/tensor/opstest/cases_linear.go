package opstest

import (
	"fmt"

	"taca/internal/tensor"
)

// The formats that cases combine.
var (
	activationTypes = []tensor.DType{tensor.F32, tensor.BF16}
	weightTypes     = []tensor.DType{tensor.F32, tensor.BF16, tensor.F16, tensor.F8E4M3, tensor.F8E5M2}
	activations     = []tensor.Activation{tensor.Identity, tensor.SiLU, tensor.GELUTanh, tensor.GELU, tensor.QuickGELU}
)

// none stands for an absent operand.
var none tensor.Tensor

// formats3 is the formats of an operation's input, weights and result.
type formats3 struct{ x, w, dst tensor.DType }

func (f formats3) String() string { return fmt.Sprintf("%v·%v→%v", f.x, f.w, f.dst) }

// usual are the combinations that models run in.
var usual = []formats3{
	{tensor.F32, tensor.F32, tensor.F32},
	{tensor.F32, tensor.BF16, tensor.F32},
	{tensor.BF16, tensor.BF16, tensor.BF16},
}

// every is all combinations of input, weights and result.
func every() []formats3 {
	var all []formats3
	for _, x := range activationTypes {
		for _, w := range weightTypes {
			for _, dst := range activationTypes {
				all = append(all, formats3{x, w, dst})
			}
		}
	}
	return all
}

// linear is one case of Linear.
type linear struct {
	n, in, out int
	f          formats3
	bias       bool
	act        tensor.Activation
	scale      scale
	strided    bool
}

func (l linear) testCase(what string) testCase {
	return testCase{
		name:   fmt.Sprintf("Linear/%s %d×%d·%d %v", what, l.n, l.in, l.out, l.f),
		result: l.f.dst, scale: l.scale, strided: l.strided,
		flops: 2 * float64(l.n) * float64(l.in) * float64(l.out),
		build: func(s *stage) (tensor.Tensor, func()) {
			x, w := s.input(l.n, l.in, l.f.x), s.weight(l.out, l.in, l.f.w, 1)
			dst, bias := s.blank(l.n, l.out, l.f.dst), none
			if l.bias && l.f.w.Quantised() {
				bias = s.vector(l.out, tensor.BF16)
			} else if l.bias {
				bias = s.vector(l.out, l.f.w)
			}
			return dst, func() { s.b.Linear(dst, x, w, bias, l.act) }
		},
	}
}

func linearCases() []testCase {
	var all []testCase
	add := func(what string, l linear) { all = append(all, l.testCase(what)) }
	for _, f := range every() {
		add("formats", linear{n: 5, in: 67, out: 43, f: f, bias: true})
		add("formats, even", linear{n: 3, in: 264, out: 24, f: f, bias: true, act: tensor.SiLU})
		add("formats, one row", linear{n: 1, in: 1160, out: 24, f: f, bias: true})
		add("formats, many rows", linear{n: 18, in: 72, out: 40, f: f, bias: true, act: tensor.GELUTanh})
	}
	for _, f := range usual {
		for _, size := range [][3]int{
			{1, 1, 1}, {1, 1000, 3}, {1, 64, 512}, {2, 5, 3}, {17, 31, 33}, {65, 129, 63},
			{130, 64, 200}, {31, 3072, 16}, {33, 257, 1}, {7, 2, 300},
		} {
			add("size", linear{n: size[0], in: size[1], out: size[2], f: f, bias: true})
		}
		for _, a := range activations {
			add(a.String(), linear{n: 9, in: 40, out: 24, f: f, bias: true, act: a})
			add(a.String()+", few rows", linear{n: 4, in: 12, out: 160, f: f, bias: true, act: a})
		}
		add("no bias", linear{n: 9, in: 40, out: 24, f: f})
		add("strided", linear{n: 9, in: 41, out: 27, f: f, bias: true, act: tensor.SiLU, strided: true})
		add("strided tall", linear{n: 70, in: 96, out: 80, f: f, strided: true})
		add("no depth", linear{n: 40, in: 0, out: 24, f: f, bias: true, act: tensor.SiLU})
		add("no rows", linear{n: 0, in: 40, out: 24, f: f, bias: true, strided: true})
		add("large", linear{n: 256, in: 768, out: 512, f: f, bias: true, act: tensor.GELUTanh, scale: large})
		add("huge", linear{n: 1024, in: 3072, out: 3072, f: f, bias: true, scale: huge})
		add("huge row", linear{n: 1, in: 3072, out: 9216, f: f, bias: true, scale: huge})
	}
	all = append(all, quantisedCases()...)
	return append(all, biasCase(), stateCase(), partCase())
}

// quantisedCases multiply by weights of scaled integers. Their widths make
// rotations of 32 to 256 columns, and cut the slices of kernels anywhere.
func quantisedCases() []testCase {
	var all []testCase
	add := func(what string, l linear) { all = append(all, l.testCase(what)) }
	for _, w := range []tensor.DType{tensor.Q8, tensor.Q4} {
		for _, x := range activationTypes {
			for _, dst := range activationTypes {
				add("quantised", linear{n: 5, in: 96, out: 43, f: formats3{x, w, dst}, bias: true, act: tensor.GELUTanh})
			}
			f := formats3{x, w, x}
			for _, size := range [][3]int{{1, 32, 1}, {1, 256, 40}, {3, 160, 17}, {18, 64, 24}, {49, 640, 33}, {100, 1184, 65}, {7, 3328, 200}} {
				add("quantised size", linear{n: size[0], in: size[1], out: size[2], f: f, bias: true})
			}
			add("quantised no bias", linear{n: 9, in: 128, out: 24, f: f})
			add("quantised no rows", linear{n: 0, in: 128, out: 24, f: f})
			add("quantised strided", linear{n: 21, in: 224, out: 27, f: f, bias: true, act: tensor.SiLU, strided: true})
			add("quantised large", linear{n: 256, in: 768, out: 512, f: f, bias: true, act: tensor.GELUTanh, scale: large})
			add("quantised huge", linear{n: 1024, in: 3072, out: 3072, f: f, bias: true, scale: huge})
		}
		all = append(all, quantisedPart(w, 64), quantisedZeros(w, 64))
	}
	return all
}

// quantisedPart uses some rows of the weights.
func quantisedPart(w tensor.DType, cols int) testCase {
	return testCase{name: fmt.Sprintf("Linear/part of the weights %v", w), result: tensor.F32, build: func(s *stage) (tensor.Tensor, func()) {
		x, w, dst := s.input(6, cols, tensor.F32), s.weight(60, cols, w, 1), s.blank(6, 21, tensor.F32)
		return dst, func() { s.b.Linear(dst, x, w.RowRange(20, 41), none, tensor.Identity) }
	}}
}

// quantisedZeros has a row of zeros, which has no scale.
func quantisedZeros(w tensor.DType, cols int) testCase {
	return testCase{name: fmt.Sprintf("Linear/a row of zeros %v", w), result: tensor.F32, build: func(s *stage) (tensor.Tensor, func()) {
		x, w, dst := s.input(3, cols, tensor.F32), s.weight(20, cols, w, 1), s.blank(3, 20, tensor.F32)
		bias := s.vector(20, tensor.F32)
		return dst, func() {
			s.b.Mix(x.RowRange(1, 2), 0, x.RowRange(1, 2), 0, x.RowRange(1, 2))
			s.b.Linear(dst, x, w, bias, tensor.Identity)
		}
	}}
}

// biasCase has a bias in another format than the weights, which files mix.
func biasCase() testCase {
	return testCase{name: "Linear/bias of another format", result: tensor.BF16, build: func(s *stage) (tensor.Tensor, func()) {
		x, w := s.input(6, 48, tensor.BF16), s.weight(40, 48, tensor.F8E4M3, 1)
		bias, dst := s.vector(40, tensor.F32), s.blank(6, 40, tensor.BF16)
		return dst, func() { s.b.Linear(dst, x, w, bias, tensor.Identity) }
	}}
}

// stateCase multiplies two activations.
func stateCase() testCase {
	return testCase{name: "Linear/two activations", result: tensor.F32, strided: true, build: func(s *stage) (tensor.Tensor, func()) {
		x, w, dst := s.input(6, 48, tensor.F32), s.input(20, 48, tensor.BF16), s.blank(6, 20, tensor.F32)
		return dst, func() { s.b.Linear(dst, x, w, none, tensor.Identity) }
	}}
}

// partCase uses some rows and columns of the weights.
func partCase() testCase {
	return testCase{name: "Linear/part of the weights", result: tensor.F32, build: func(s *stage) (tensor.Tensor, func()) {
		x, w, bias := s.input(6, 33, tensor.F32), s.weight(60, 40, tensor.BF16, 1), s.vector(60, tensor.BF16)
		dst := s.blank(6, 20, tensor.F32)
		return dst, func() {
			s.b.Linear(dst, x, w.RowRange(20, 40).ColRange(7, 40), bias.ColRange(20, 40), tensor.Identity)
		}
	}}
}

// lowRank is one case of AddLowRank.
type lowRank struct {
	n, in, rank, out int
	f                formats3
	by               float32
	scale            scale
	strided          bool
}

func lowRankCases() []testCase {
	var all []testCase
	add := func(what string, l lowRank) {
		all = append(all, testCase{
			name:   fmt.Sprintf("AddLowRank/%s %d×%d·%d·%d %v", what, l.n, l.in, l.rank, l.out, l.f),
			result: l.f.dst, scale: l.scale, strided: l.strided,
			flops: 2 * float64(l.n) * float64(l.rank) * float64(l.in+l.out),
			build: func(s *stage) (tensor.Tensor, func()) {
				x, dst := s.input(l.n, l.in, l.f.x), s.input(l.n, l.out, l.f.dst)
				down, up := s.weight(l.rank, l.in, l.f.w, 1), s.weight(l.out, l.rank, l.f.w, 1)
				return dst, func() { s.b.AddLowRank(dst, x, down, up, l.by) }
			},
		})
	}
	for _, f := range every() {
		add("formats", lowRank{n: 5, in: 37, rank: 4, out: 23, f: f, by: 0.7})
		add("formats, many rows", lowRank{n: 18, in: 40, rank: 8, out: 24, f: f, by: 0.7})
	}
	for _, f := range usual {
		add("rank 1", lowRank{n: 3, in: 64, rank: 1, out: 64, f: f, by: -2})
		add("one row", lowRank{n: 1, in: 129, rank: 16, out: 65, f: f, by: 1})
		add("odd", lowRank{n: 67, in: 50, rank: 33, out: 31, f: f, by: 0.125})
		add("strided", lowRank{n: 7, in: 50, rank: 16, out: 31, f: f, by: 1, strided: true})
		add("large", lowRank{n: 256, in: 768, rank: 64, out: 768, f: f, by: 0.5, scale: large})
	}
	return all
}
