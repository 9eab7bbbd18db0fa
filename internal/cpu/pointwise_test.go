package cpu

import (
	"math"
	"testing"

	"taca/internal/tensor"
)

// sigmoid in float64.
func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// activations as their definitions read, with no digits lost on the negative
// side.
var activations = map[tensor.Activation]func(float64) float64{
	tensor.SiLU:      func(x float64) float64 { return x * sigmoid(x) },
	tensor.QuickGELU: func(x float64) float64 { return x * sigmoid(1.702*x) },
	tensor.GELU:      func(x float64) float64 { return x / 2 * math.Erfc(-x/math.Sqrt2) },
	tensor.GELUTanh: func(x float64) float64 {
		return x * sigmoid(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))
	},
}

// TestActivationDigits bounds the relative error of the activations, also in
// their tails, where naive arithmetic cancels to nothing.
func TestActivationDigits(t *testing.T) {
	const n = 100_000
	x := make([]float32, n)
	for i := range x {
		x[i] = 24 * (float32(i)/n - 0.5)
	}
	for _, isa := range Available() {
		b := openISA(t, isa, 2)
		from, dst := uploaded(t, b, 1, n, tensor.F32, x), uploaded(t, b, 1, n, tensor.F32, x)
		for act, f := range activations {
			got := make([]float32, n)
			b.Activate(dst, from, act)
			b.Download(got, dst)
			for i, v := range got {
				want := f(float64(x[i]))
				// An exponent of e may cost 2·e ulps of relative error.
				bound := 5e-7 + 2e-7*math.Abs(math.Log(sigmoidOf(act, float64(x[i]))))
				if math.Abs(want) > 1e-36 && !(math.Abs(float64(v)-want) <= bound*math.Abs(want)) {
					t.Errorf("%s: %v(%v) is %v, want %v", isa, act, x[i], v, want)
					break
				}
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// sigmoidOf is act(x)/x, the factor that shrinks in the tail.
func sigmoidOf(act tensor.Activation, x float64) float64 {
	if x == 0 {
		return 0.5
	}
	return activations[act](x) / x
}

// TestActivationEnds takes what has no ordinary result.
func TestActivationEnds(t *testing.T) {
	inf := float32(math.Inf(1))
	ends := []float32{inf, float32(math.NaN()), 0, 3e38, -3e38, 1e-40}
	for _, isa := range Available() {
		b := openISA(t, isa, 1)
		x := uploaded(t, b, 1, len(ends), tensor.F32, ends)
		dst := uploaded(t, b, 1, len(ends), tensor.F32, ends)
		for act := range activations {
			got := make([]float32, len(ends))
			b.Activate(dst, x, act)
			b.Download(got, dst)
			if got[0] != inf || got[1] == got[1] || got[2] != 0 || got[3] != 3e38 || got[4] != 0 || !(got[5] > 4e-41 && got[5] < 6e-41) {
				t.Errorf("%s: %v of %v is %v", isa, act, ends, got)
			}
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}
