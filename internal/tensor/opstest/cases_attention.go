package opstest

import (
	"fmt"
	"math"

	"taca/internal/tensor"
)

// attention is one case of Attention.
type attention struct {
	rows, heads, size int
	lacking           int // first rows that q does not have
	q, kv, dst        tensor.DType
	sharp             float64 // spread of q; 1 if 0
	gamma             float32 // 1 if 0
	text, visual      tensor.Span
	causal            bool
	bias              bool
	biasType          tensor.DType
	scale             scale
	strided           bool
}

func (a attention) testCase(what string) testCase {
	return testCase{
		name:   fmt.Sprintf("Attention/%s %d of %d rows, %d×%d %v·%v→%v", what, a.rows-a.lacking, a.rows, a.heads, a.size, a.q, a.kv, a.dst),
		result: a.dst, scale: a.scale, strided: a.strided,
		flops: 4 * float64(a.rows-a.lacking) * float64(a.rows) * float64(a.heads*a.size),
		build: a.build,
	}
}

func (a attention) build(s *stage) (tensor.Tensor, func()) {
	cols, sharp := a.heads*a.size, a.sharp
	if sharp == 0 {
		sharp = 1
	}
	n := a.rows - a.lacking
	q := s.state(n, cols, a.q, s.normal(n*cols, 0, sharp))
	k, v, dst := s.input(a.rows, cols, a.kv), s.input(a.rows, cols, a.kv), s.blank(n, cols, a.dst)
	spec := tensor.AttentionSpec{
		Heads: a.heads, Scale: float32(1 / math.Sqrt(float64(a.size))),
		Gamma: a.gamma, Text: a.text, Visual: a.visual, Causal: a.causal,
	}
	if a.gamma == 0 {
		spec.Gamma = 1
	}
	if a.bias {
		spec.RelBias = s.weight(2*a.rows-1, a.heads, a.biasType, 2)
	}
	return dst, func() { s.b.Attention(dst, q, k, v, spec) }
}

func attentionCases() []testCase {
	var all []testCase
	for _, d := range activationTypes {
		plain := func(rows, heads, size int) attention {
			return attention{rows: rows, heads: heads, size: size, q: d, kv: d, dst: d}
		}
		add := func(what string, a attention, change func(*attention)) {
			if change != nil {
				change(&a)
			}
			all = append(all, a.testCase(what))
		}
		for _, size := range []int{8, 16, 20, 32, 40, 64, 96, 128, 512} {
			add("size", plain(37, 2, size), nil)
		}
		for _, rows := range []int{1, 2, 15, 16, 63, 64, 65, 129, 200} {
			add("rows", plain(rows, 3, 32), nil)
		}
		add("sharp", plain(70, 2, 64), func(a *attention) { a.sharp = 8 })
		add("strided", plain(37, 3, 24), func(a *attention) { a.strided = true })
		add("causal", plain(77, 2, 64), func(a *attention) { a.causal = true })
		add("causal, one row", plain(1, 2, 64), func(a *attention) { a.causal = true })
		add("gamma", plain(90, 2, 64), func(a *attention) {
			a.gamma, a.text, a.visual = 1.2, tensor.Span{Lo: 0, Hi: 29}, tensor.Span{Lo: 29, Hi: 90}
		})
		add("gamma, visual first", plain(90, 2, 64), func(a *attention) {
			a.gamma, a.text, a.visual = 1.2, tensor.Span{Lo: 61, Hi: 90}, tensor.Span{Lo: 0, Hi: 61}
		})
		add("gamma, rows of neither", plain(90, 2, 64), func(a *attention) {
			a.gamma, a.text, a.visual, a.sharp = 0.6, tensor.Span{Lo: 7, Hi: 29}, tensor.Span{Lo: 41, Hi: 80}, 3
		})
		add("gamma, sharp", plain(90, 2, 64), func(a *attention) {
			a.gamma, a.text, a.visual, a.sharp = 3, tensor.Span{Lo: 0, Hi: 50}, tensor.Span{Lo: 50, Hi: 90}, 10
		})
		for _, w := range []tensor.DType{tensor.F32, tensor.BF16} {
			add(fmt.Sprint("bias ", w), plain(67, 2, 64), func(a *attention) { a.bias, a.biasType = true, w })
		}
		add("everything", plain(67, 3, 40), func(a *attention) {
			a.bias, a.causal, a.strided = true, true, true
			a.gamma, a.text, a.visual = 1.5, tensor.Span{Lo: 0, Hi: 29}, tensor.Span{Lo: 29, Hi: 67}
		})
		add("large", plain(500, 2, 64), func(a *attention) { a.scale = large })
		add("large", plain(333, 2, 128), func(a *attention) { a.scale = large })
		add("large", plain(260, 1, 512), func(a *attention) { a.scale = large })
		add("huge", plain(2048, 8, 128), func(a *attention) { a.scale = huge })
		add("huge, gamma", plain(2048, 8, 128), func(a *attention) {
			a.scale, a.gamma, a.text, a.visual = huge, 1.2, tensor.Span{Lo: 0, Hi: 500}, tensor.Span{Lo: 500, Hi: 2048}
		})
	}
	// Logits beyond 88, whose exponentials are no F32.
	steep := attention{rows: 70, heads: 2, size: 64, q: tensor.F32, kv: tensor.F32, dst: tensor.F32, sharp: 40}
	all = append(all, steep.testCase("steep"))
	for _, f := range []formats3{
		{tensor.BF16, tensor.BF16, tensor.F32}, {tensor.F32, tensor.F32, tensor.BF16},
		{tensor.F32, tensor.BF16, tensor.F32}, {tensor.BF16, tensor.F32, tensor.BF16},
	} {
		all = append(all, attention{rows: 37, heads: 2, size: 48, q: f.x, kv: f.w, dst: f.dst}.testCase("formats"))
	}
	return append(all, lastQueriesCases()...)
}

// lastQueriesCases are those whose first tokens ask nothing.
func lastQueriesCases() []testCase {
	var all []testCase
	for _, d := range activationTypes {
		few := attention{rows: 200, heads: 2, lacking: 69, q: d, kv: d, dst: d,
			gamma: 3, text: tensor.Span{Lo: 0, Hi: 69}, visual: tensor.Span{Lo: 69, Hi: 200}}
		for _, few.size = range []int{40, 64, 128, 512} {
			all = append(all, few.testCase("the visual queries,"))
		}
		few.size, few.lacking = 128, 199
		all = append(all, few.testCase("the last query,"))
		few.lacking, few.strided = 130, true
		few.text, few.visual = tensor.Span{Lo: 150, Hi: 200}, tensor.Span{Lo: 20, Hi: 150}
		all = append(all, few.testCase("some of the visual queries,"))
	}
	return all
}
