package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// Blocks of keys and strips of queries are wider than the small cases of the
// conformance suite; these tests go beyond them.

// mixture is an attention of random tokens, which depend on heads, size and
// warm only.
type mixture struct {
	rows, heads, size int
	d                 tensor.DType
	warm              tensor.Span // keys to be multiplied by 2
	bias              bool
	spec              tensor.AttentionSpec
}

func (m mixture) String() string {
	return fmt.Sprintf("%d rows, %d×%d %v, causal %v, bias %v, gamma %v of %v and %v",
		m.rows, m.heads, m.size, m.d, m.spec.Causal, m.bias, m.spec.Gamma, m.spec.Text, m.spec.Visual)
}

func (m mixture) on(t *testing.T, b tensor.Backend) []float32 {
	defer b.Close()
	random := rand.New(rand.NewPCG(uint64(m.heads), uint64(m.size)))
	cols := m.heads * m.size
	q, k, v := make([]float32, m.rows*cols), make([]float32, m.rows*cols), make([]float32, m.rows*cols)
	for i := range q {
		q[i], k[i], v[i] = float32(random.NormFloat64()), float32(random.NormFloat64()), float32(random.NormFloat64())
		if m.warm.Has(i / cols) {
			k[i] *= 2
		}
	}
	m.spec.Heads, m.spec.Scale = m.heads, 1.5/float32(math.Sqrt(float64(m.size)))
	if m.bias {
		slopes := make([]float32, (2*m.rows-1)*m.heads)
		for i := range slopes {
			slopes[i] = float32(math.Sin(float64(i)))
		}
		m.spec.RelBias = uploaded(t, b, 2*m.rows-1, m.heads, tensor.F32, slopes)
	}
	dst := uploaded(t, b, m.rows, cols, m.d, make([]float32, m.rows*cols))
	b.Attention(dst, uploaded(t, b, m.rows, cols, m.d, q), uploaded(t, b, m.rows, cols, m.d, k), uploaded(t, b, m.rows, cols, m.d, v), m.spec)
	b.Download(q, dst)
	return q
}

func uploaded(t *testing.T, b tensor.Backend, rows, cols int, d tensor.DType, values []float32) tensor.Tensor {
	x, err := b.New(rows, cols, d)
	if err != nil {
		t.Fatal(err)
	}
	b.Upload(x, values)
	return x
}

// everyISA runs a test for every instruction set and both formats of
// activations.
func everyISA(t *testing.T, test func(t *testing.T, isa string, d tensor.DType)) {
	for _, isa := range Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			t.Run(fmt.Sprint(isa, "/", d), func(t *testing.T) { test(t, isa, d) })
		}
	}
}

// TestAttentionThreads cuts the same attention into units of different sizes.
func TestAttentionThreads(t *testing.T) {
	everyISA(t, func(t *testing.T, isa string, d tensor.DType) {
		for _, rows := range []int{1, 97, 700} {
			m := mixture{rows: rows, heads: 2, size: 40, d: d, spec: tensor.AttentionSpec{Gamma: 1}}
			want := m.on(t, openISA(t, isa, 1))
			for _, threads := range []int{2, 5, 40} {
				if !slices.Equal(m.on(t, openISA(t, isa, threads)), want) {
					t.Errorf("%v: %d threads change the result", m, threads)
				}
			}
		}
	})
}

// TestCausalIsPlainUpToItself compares the last row of a plain attention over
// n tokens with row n-1 of a causal one over more, bit for bit.
func TestCausalIsPlainUpToItself(t *testing.T) {
	everyISA(t, func(t *testing.T, isa string, d tensor.DType) {
		m := mixture{rows: 620, heads: 1, size: 24, d: d, spec: tensor.AttentionSpec{Gamma: 1, Causal: true}}
		causal := m.on(t, openISA(t, isa, 2))
		m.spec.Causal = false
		for _, n := range []int{1, 16, 95, 96, 97, 255, 256, 257, 300, 512, 513, 620} {
			m.rows = n
			plain := m.on(t, openISA(t, isa, 2))
			if last := (n - 1) * m.size; !slices.Equal(causal[last:last+m.size], plain[last:]) {
				t.Errorf("row %d differs", n-1)
			}
		}
	})
}

// TestTemperedBlocks puts the borders of text and visual around those of
// blocks: visual rows must equal plain attention over text keys times gamma,
// and others plain attention, bit for bit.
func TestTemperedBlocks(t *testing.T) {
	everyISA(t, func(t *testing.T, isa string, d tensor.DType) {
		const rows, size = 530, 16
		m := mixture{rows: rows, heads: 1, size: size, d: d, spec: tensor.AttentionSpec{Gamma: 1}}
		plain := m.on(t, openISA(t, isa, 2))
		for _, nt := range []int{1, 31, 95, 97, 200, 255, 256, 257, 288, 511, 512, 513, 529} {
			for _, spans := range [][2]tensor.Span{
				{{Lo: 0, Hi: nt}, {Lo: nt, Hi: rows}}, {{Lo: nt, Hi: rows}, {Lo: 0, Hi: nt}}, {{Lo: nt / 2, Hi: nt}, {Lo: nt, Hi: rows - 1}},
			} {
				m.warm, m.spec.Gamma = spans[0], 1
				m.spec.Text, m.spec.Visual = tensor.Span{}, tensor.Span{}
				warm := m.on(t, openISA(t, isa, 2))
				m.warm, m.spec.Gamma = tensor.Span{}, 2
				m.spec.Text, m.spec.Visual = spans[0], spans[1]
				got := m.on(t, openISA(t, isa, 2))
				for i := range rows {
					want := plain
					if spans[1].Has(i) {
						want = warm
					}
					if !slices.Equal(got[i*size:(i+1)*size], want[i*size:(i+1)*size]) {
						t.Fatalf("%v: row %d differs", m, i)
					}
				}
			}
		}
	})
}

// TestAttentionOverBlocks allows what needs several blocks of keys twice the
// greatest error of naive arithmetic.
func TestAttentionOverBlocks(t *testing.T) {
	text, visual := tensor.Span{Lo: 0, Hi: 290}, tensor.Span{Lo: 290, Hi: 600}
	for _, m := range []mixture{
		{rows: 600, heads: 2, size: 32, bias: true, spec: tensor.AttentionSpec{Gamma: 1}},
		{rows: 600, heads: 1, size: 72, bias: true, spec: tensor.AttentionSpec{Gamma: 1.3, Text: text, Visual: visual, Causal: true}},
		{rows: 600, heads: 1, size: 17, spec: tensor.AttentionSpec{Gamma: 1.2, Text: text, Visual: visual}},
		{rows: 300, heads: 1, size: 200, spec: tensor.AttentionSpec{Gamma: 1}},
		{rows: 150, heads: 1, size: 700, spec: tensor.AttentionSpec{Gamma: 1}},
	} {
		for _, m.d = range []tensor.DType{tensor.F32, tensor.BF16} {
			want, naive, bound := m.on(t, opstest.NewReference()), m.on(t, opstest.NewNaive(m.d)), 0.0
			for i, v := range naive {
				bound = max(bound, 2*math.Abs(float64(v-want[i])))
			}
			for _, isa := range Available() {
				for i, v := range m.on(t, openISA(t, isa, 2)) {
					if e := math.Abs(float64(v - want[i])); !(e <= bound) {
						t.Errorf("%s, %v: element %d is %v, want %v within %.2g", isa, m, i, v, want[i], bound)
						break
					}
				}
			}
		}
	}
}

func BenchmarkAttention(b *testing.B) {
	for _, isa := range Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			for _, s := range [][3]int{{1536, 24, 128}, {1024, 24, 64}, {2048, 1, 512}} {
				b.Run(fmt.Sprintf("%s/%v/%d rows, %d×%d", isa, d, s[0], s[1], s[2]), func(b *testing.B) {
					o := openISA(b, isa, 0)
					defer o.Close()
					random := rand.New(rand.NewPCG(1, 2))
					cols := s[1] * s[2]
					q, k, v := operand(b, o, s[0], cols, d, random), operand(b, o, s[0], cols, d, random), operand(b, o, s[0], cols, d, random)
					dst := operand(b, o, s[0], cols, d, random)
					for b.Loop() {
						o.Attention(dst, q, k, v, tensor.AttentionSpec{Heads: s[1], Scale: 1 / float32(math.Sqrt(float64(s[2]))), Gamma: 1})
					}
					b.ReportMetric(4*float64(s[0]*s[0]*cols)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
