package opstest

import (
	"fmt"
	"math"

	"taca/internal/tensor"
)

// copyCases are the verbs that move numbers and may at most round them: their
// results must be exact.
func copyCases() []testCase {
	var all []testCase
	for _, dst := range activationTypes {
		for _, cols := range []int{32, 96, 192, 512, 1280} {
			all = append(all, dequantise(tensor.Q8, dst, cols), dequantise(tensor.Q4, dst, cols))
		}
		for _, src := range weightTypes {
			all = append(all, patterns(src, dst), gather(src, dst, 67, false), gather(src, dst, 67, true), gather(src, dst, 68, false))
		}
		for _, src := range activationTypes {
			all = append(all, rounding(src, dst, false), rounding(src, dst, true), upsample(src, dst, 19, false), upsample(src, dst, 19, true), upsample(src, dst, 20, false))
		}
	}
	return all
}

// dequantise makes numbers of quantised weights.
func dequantise(src, dst tensor.DType, cols int) testCase {
	return testCase{
		name:   fmt.Sprintf("Copy/quantised, %d columns %v→%v", cols, src, dst),
		result: dst, exact: true,
		build: func(s *stage) (tensor.Tensor, func()) {
			t, to := s.weight(37, cols, src, 1), s.blank(37, cols, dst)
			return to, func() { s.b.Copy(to, t) }
		},
	}
}

// patterns copies every number a narrow format can hold (of F32: as many
// random ones), so all of them must be understood. BF16 results leave out
// subnormal numbers, since processors that convert in one instruction flush
// them to zero.
func patterns(src, dst tensor.DType) testCase {
	return testCase{
		name:   fmt.Sprintf("Copy/every number %v→%v", src, dst),
		result: dst, exact: true,
		build: func(s *stage) (tensor.Tensor, func()) {
			raw := make([]byte, 0, 256*256*src.Size())
			for len(raw) < cap(raw) {
				i := len(raw) / src.Size()
				number := []byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}[:src.Size()]
				if src == tensor.F32 {
					number = encode(src, []float64{s.random.NormFloat64() * math.Exp(60*s.random.Float64()-30)})
				}
				if v := decode(src, number, 0); dst == tensor.BF16 && math.Abs(v) < 0x1p-126 {
					clear(number)
				}
				raw = append(raw, number...)
			}
			t, to := s.bind(256, 256, src, raw), s.blank(256, 256, dst)
			return to, func() { s.b.Copy(to, t) }
		},
	}
}

// rounding copies numbers that lie between two of the narrower format, ties
// and overflow to infinity among them. Upload and Download are tried as well.
func rounding(src, dst tensor.DType, strided bool) testCase {
	return testCase{
		name:   fmt.Sprintf("Copy/rounding %v→%v, strided %v", src, dst, strided),
		result: dst, exact: true, strided: strided,
		build: func(s *stage) (tensor.Tensor, func()) {
			x := s.normal(5*37, 0, 100)
			copy(x, []float64{
				0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1,
				1 + 0x1p-8, 1 + 0x3p-8, 1 + 0x1p-8 + 0x1p-20, 1 + 0x3p-8 - 0x1p-20, -1 - 0x1p-8, -1 - 0x3p-8,
				0x1.FEp127, 0x1.FEFFp127, 0x1.FFp127, -0x1.FFp127, 0x1p-126, 0x1.01p-126,
			})
			from, to := s.state(5, 37, src, x), s.blank(5, 37, dst)
			return to, func() { s.b.Copy(to, from) }
		},
	}
}

func gather(src, dst tensor.DType, cols int, strided bool) testCase {
	return testCase{
		name:   fmt.Sprintf("Gather/%d columns %v→%v, strided %v", cols, src, dst, strided),
		result: dst, exact: true, strided: strided,
		build: func(s *stage) (tensor.Tensor, func()) {
			ids := []int32{0, 99, 7, 7, 98, 1, 0}
			table, to := s.weight(100, cols, src, 1), s.blank(len(ids), cols, dst)
			return to, func() { s.b.Gather(to, table, ids) }
		},
	}
}

func upsample(src, dst tensor.DType, cols int, strided bool) testCase {
	return testCase{
		name:   fmt.Sprintf("Upsample2x/%d columns %v→%v, strided %v", cols, src, dst, strided),
		result: dst, exact: true, strided: strided,
		build: func(s *stage) (tensor.Tensor, func()) {
			g := tensor.Grid{Height: 3, Width: 5}
			x, to := s.input(g.Rows(), cols, src), s.blank(4*g.Rows(), cols, dst)
			return to, func() { s.b.Upsample2x(to, x, g) }
		},
	}
}
