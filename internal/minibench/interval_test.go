package minibench

import (
	"math"
	"math/rand/v2"
	"testing"
)

// some is so many ones, then zeros.
func some(ones, n int) []float64 {
	values := make([]float64, n)
	for i := range ones {
		values[i] = 1
	}
	return values
}

// TestWilson holds the intervals against scipy's binomtest(k, n).proportion_ci(0.95, "wilson").
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		right, n  int
		low, high float64
	}{
		{0, 64, 0, 0.0566240598}, {1, 10, 0.0178762131, 0.4041500268}, {17, 64, 0.1729637907, 0.3848287373},
		{64, 64, 0.9433759402, 1}, {143, 512, 0.2421886195, 0.3196922721}, {500, 512, 0.9594842199, 0.9865428813},
	} {
		i := Wilson(some(c.right, c.n))
		if i.Value != float64(c.right)/float64(c.n) || math.Abs(i.Low-c.low) > 1e-9 || math.Abs(i.High-c.high) > 1e-9 {
			t.Errorf("%d of %d: %+v, want %v to %v", c.right, c.n, i, c.low, c.high)
		}
	}
}

// TestPaired holds differences against the formula by hand, with phi from the
// table of pairs: both right, the first alone, the second alone, neither.
func TestPaired(t *testing.T) {
	for _, c := range []struct {
		both, first, second, neither int
		difference, low, high        float64
	}{
		{36, 12, 2, 0, 0.2000000000, 0.0569295840, 0.3404276030},
		{10, 8, 3, 43, 0.0781250000, -0.0227418649, 0.1796331290},
		{0, 5, 0, 59, 0.0781250000, 0.0062346188, 0.1701953735},
		{20, 0, 0, 44, 0.0000000000, -0.0212340224, 0.0212340224},
		{100, 40, 25, 347, 0.0292968750, -0.0015097987, 0.0601966976},
		{0, 0, 0, 10, 0.0000000000, -0.2775327999, 0.2775327999},
	} {
		var a, b []float64
		add := func(n int, first, second float64) {
			for range n {
				a, b = append(a, first), append(b, second)
			}
		}
		add(c.both, 1, 1)
		add(c.first, 1, 0)
		add(c.second, 0, 1)
		add(c.neither, 0, 0)
		i := Paired(a, b)
		if math.Abs(i.Value-c.difference) > 1e-9 || math.Abs(i.Low-c.low) > 1e-9 || math.Abs(i.High-c.high) > 1e-9 {
			t.Errorf("%+v: %+v", c, i)
		}
		if back := Paired(b, a); math.Abs(back.Low+i.High) > 1e-12 || math.Abs(back.High+i.Low) > 1e-12 {
			t.Errorf("the other way round %+v is %+v", i, back)
		}
	}
}

// TestCoverage draws pairs that go together, with truths that are known: of 95 %
// intervals about 95 % hold them, of halves and wholes no fewer.
func TestCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const trials, n = 4000, 128
	for _, halves := range []bool{false, true} {
		held, apart := 0, 0
		for range trials {
			a, b := make([]float64, n), make([]float64, n)
			for i := range n {
				for _, weight := range []float64{0.5, 0.5} {
					if !halves {
						weight = 1
					}
					shared := random.Float64() < 0.5 // with half of the pairs one draw decides both
					u, v := random.Float64(), random.Float64()
					if shared {
						v = u
					}
					if u < 0.35 {
						a[i] += weight
					}
					if v < 0.25 {
						b[i] += weight
					}
					if !halves {
						break
					}
				}
			}
			if !Wilson(a).Without(0.35) {
				held++
			}
			if !Paired(a, b).Without(0.1) {
				apart++
			}
		}
		for what, hits := range map[string]int{"shares": held, "differences": apart} {
			if share := float64(hits) / trials; share < 0.935 || !halves && share > 0.965 {
				t.Errorf("halves %v: %.1f %% of the intervals of %s hold the truth", halves, 100*share, what)
			}
		}
	}
}
