package opstest

import (
	"math"
	"math/rand/v2"

	"taca/internal/tensor"
)

// stage makes the operands of one case on one backend. The same seed makes the
// same numbers on every backend.
type stage struct {
	b       tensor.Backend
	random  *rand.Rand
	strided bool // operands are windows of larger matrices
	owned   []tensor.Tensor
	weights tensor.Group
	windows []window
}

// window is an operand and the matrix around it, which is full of NaN.
type window struct{ whole, inner tensor.Tensor }

func newStage(b tensor.Backend, seed uint64, strided bool) *stage {
	return &stage{b: b, random: rand.New(rand.NewPCG(seed, 1)), strided: strided, weights: b.NewGroup()}
}

// close gives back all operands.
func (s *stage) close() {
	for _, t := range s.owned {
		s.b.Free(t)
	}
	s.weights.Drop()
}

// normal is n numbers of the given mean and spread.
func (s *stage) normal(n int, mean, spread float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = mean + spread*s.random.NormFloat64()
	}
	return out
}

// state is an activation that holds values, row by row.
func (s *stage) state(rows, cols int, d tensor.DType, values []float64) tensor.Tensor {
	t := s.blank(rows, cols, d)
	host := make([]float32, len(values))
	for i, v := range values {
		host[i] = float32(v)
	}
	s.b.Upload(t, host)
	return t
}

// input is an activation of standard normal numbers.
func (s *stage) input(rows, cols int, d tensor.DType) tensor.Tensor {
	return s.state(rows, cols, d, s.normal(rows*cols, 0, 1))
}

// uneven is an activation whose rows differ in magnitude, from tiny to large,
// with one in four all zero.
func (s *stage) uneven(rows, cols int, d tensor.DType) tensor.Tensor {
	values := s.normal(rows*cols, 0, 1)
	for i := range values {
		values[i] *= [...]float64{1, 1e-3, 300, 0}[i/cols%4]
	}
	return s.state(rows, cols, d, values)
}

// blank is an activation full of NaN, for a result to overwrite.
func (s *stage) blank(rows, cols int, d tensor.DType) tensor.Tensor {
	above, left, right := 0, 0, 0
	if s.strided {
		above, left, right = 1, 3, 6
	}
	whole, err := s.b.New(rows+2*above, cols+left+right, d)
	if err != nil {
		panic(err)
	}
	s.owned = append(s.owned, whole)
	nan := make([]float32, whole.Rows*whole.Cols)
	for i := range nan {
		nan[i] = float32(math.NaN())
	}
	s.b.Upload(whole, nan)
	inner := whole.RowRange(above, above+rows).ColRange(left, left+cols)
	if s.strided {
		s.windows = append(s.windows, window{whole, inner})
	}
	return inner
}

// weight is a matrix of normal numbers of the given spread, bound at an odd
// address as in a checkpoint whose header has an odd length.
func (s *stage) weight(rows, cols int, d tensor.DType, spread float64) tensor.Tensor {
	switch {
	case d.Rotated():
		return s.bind(rows, cols, d, randomQuantised(s.random, rows, cols, d, spread))
	case d.Quantised():
		return s.bind(rows, cols, d, randomBlocks(s.random, rows, cols, d, spread))
	}
	return s.bind(rows, cols, d, encode(d, s.normal(rows*cols, 0, spread)))
}

// vector is a bias, gain or gate of normal numbers as a checkpoint holds it.
func (s *stage) vector(n int, d tensor.DType) tensor.Tensor { return s.weight(1, n, d, 1) }

func (s *stage) bind(rows, cols int, d tensor.DType, raw []byte) tensor.Tensor {
	odd := make([]byte, len(raw)+1)[1:]
	copy(odd, raw)
	t, err := s.weights.Bind(odd, rows, cols, d)
	if err != nil {
		panic(err)
	}
	return t
}

// values reads t, in float64 where the backend has them.
func values(b tensor.Backend, t tensor.Tensor) []float64 {
	if _, ok := b.(*reference); ok {
		return loadAll(t)
	}
	host := make([]float32, t.Rows*t.Cols)
	b.Download(host, t)
	out := make([]float64, len(host))
	for i, v := range host {
		out[i] = float64(v)
	}
	return out
}

// spilled reports whether a verb has written beside one of its operands.
func (s *stage) spilled() bool {
	for _, w := range s.windows {
		around := values(s.b, w.whole)
		above := (w.inner.Offset - w.whole.Offset) / w.whole.Stride
		left := (w.inner.Offset - w.whole.Offset) % w.whole.Stride
		rows := tensor.Span{Lo: above, Hi: above + w.inner.Rows}
		cols := tensor.Span{Lo: left, Hi: left + w.inner.Cols}
		for i, v := range around {
			if inside := rows.Has(i/w.whole.Cols) && cols.Has(i%w.whole.Cols); !inside && !math.IsNaN(v) {
				return true
			}
		}
	}
	return false
}
