package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"taca/internal/tensor"
)

// TestGroupNormThreads checks that sums over rows are cut and added up the
// same way whatever the number of threads.
func TestGroupNormThreads(t *testing.T) {
	everyISA(t, func(t *testing.T, isa string, d tensor.DType) {
		const rows, cols = 5000, 24 // several units
		norm := func(threads int) []float32 {
			b := openISA(t, isa, threads)
			defer b.Close()
			random := rand.New(rand.NewPCG(3, 4))
			x, gain := operand(t, b, rows, cols, d, random), operand(t, b, 1, cols, d, random)
			b.GroupNorm(x, x, gain, gain, 3, 1e-6, tensor.SiLU)
			out := make([]float32, rows*cols)
			b.Download(out, x)
			return out
		}
		want := norm(1)
		for _, threads := range []int{2, 9} {
			if !slices.Equal(norm(threads), want) {
				t.Errorf("%d threads change the result", threads)
			}
		}
	})
}

// TestNormsFarFromZero takes rows whose mean is a thousand times their spread,
// where a variance by the squares' mean would have no digits left in F32.
func TestNormsFarFromZero(t *testing.T) {
	const rows, cols, mean = 70, 333, 1000
	random := rand.New(rand.NewPCG(5, 6))
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = mean + float32(random.NormFloat64())
	}
	ones, zeros := slices.Repeat([]float32{1}, cols), make([]float32, cols)
	for _, isa := range Available() {
		b := openISA(t, isa, 2)
		x, dst := uploaded(t, b, rows, cols, tensor.F32, values), uploaded(t, b, rows, cols, tensor.F32, values)
		one, zero := uploaded(t, b, 1, cols, tensor.F32, ones), uploaded(t, b, 1, cols, tensor.F32, zeros)
		got := make([]float32, rows*cols)
		b.LayerNorm(dst, x, one, zero, 0)
		b.Download(got, dst)
		for r := range rows {
			closeTo(t, isa+" LayerNorm", got[r*cols:(r+1)*cols], normed(values[r*cols:(r+1)*cols]))
		}
		b.GroupNorm(dst, x, one, zero, 1, 0, tensor.Identity)
		b.Download(got, dst)
		closeTo(t, isa+" GroupNorm", got, normed(values))
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// normed is (x - mean) / deviation in float64.
func normed(x []float32) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	for _, v := range x {
		variance += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = (float64(v) - mean) / math.Sqrt(variance)
	}
	return out
}

// closeTo allows for the mean's own rounding to F32.
func closeTo(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	for i, v := range got {
		if e := math.Abs(float64(v) - want[i]); !(e < 1e-4) {
			t.Errorf("%s: element %d is %v, want %v", what, i, v, want[i])
			return
		}
	}
}

func BenchmarkNorm(b *testing.B) {
	const rows, cols = 1536, 3072
	for _, isa := range Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			o := openISA(b, isa, 0)
			random := rand.New(rand.NewPCG(1, 2))
			x, dst, v := operand(b, o, rows, cols, d, random), operand(b, o, rows, cols, d, random), operand(b, o, 1, cols, d, random)
			head, rope := operand(b, o, 1, 128, d, random), operand(b, o, rows, 128, tensor.F32, random)
			o.Upload(head, slices.Repeat([]float32{1}, 128)) // so that x, which is overwritten, keeps its size
			o.Upload(rope, slices.Repeat([]float32{0.6, 0.8}, rows*64))
			streams := int64(rows * cols * d.Size())
			for _, verb := range []struct {
				name    string
				streams int64
				run     func()
			}{
				{"ModulatedNorm", 2, func() { o.ModulatedNorm(dst, x, v, v, 1e-6) }},
				{"RMSNorm", 2, func() { o.RMSNorm(dst, x, v, 1e-6) }},
				{"QKNormRope", 2, func() { o.QKNormRope(x, head, rope, cols/128, 1e-6) }},
				{"GroupNorm", 3, func() { o.GroupNorm(dst, x, v, v, 32, 1e-6, tensor.SiLU) }},
				{"GatedAdd", 3, func() { o.GatedAdd(dst, x, v) }},
				{"Activate", 2, func() { o.Activate(dst, x, tensor.GELUTanh) }},
				{"Mul", 3, func() { o.Mul(dst, x, x) }},
			} {
				b.Run(fmt.Sprintf("%s/%v/%s", isa, d, verb.name), func(b *testing.B) {
					b.SetBytes(streams * verb.streams)
					for b.Loop() {
						verb.run()
					}
				})
			}
			o.Close()
		}
	}
}
