package opstest

import (
	"fmt"
	"math"

	"taca/internal/tensor"
)

// told is which of AttentionStats' results a case compares.
type told int

const (
	share   told = iota // the upper half of stats
	entropy             // the lower half
	mapped
	unmapped // the upper half where no map is asked for
)

func (w told) String() string { return [...]string{"share", "entropy", "map", "share alone"}[w] }

// attentionStats is one case of AttentionStats. Operands may be BF16, results
// are judged as F32 whatever they are: nothing needs rounding on the way.
type attentionStats struct {
	rows, heads, size int
	lacking           int // first rows that q does not have
	q, k              tensor.DType
	sharp             float64 // spread of q; 1 if 0
	gamma             float32
	text, visual      tensor.Span
	strided           bool
	scale             scale
}

func (a attentionStats) testCase(what string, want told) testCase {
	n, cols := float64(a.visual.Len()), float64(a.heads*a.size)
	flops := 2 * n * float64(a.rows) * cols
	if want != unmapped {
		flops += 2 * n * float64(a.text.Len()) * cols
	}
	return testCase{
		name: fmt.Sprintf("AttentionStats/%s, %v %d of %d rows, %d×%d %v·%v, text %v, visual %v, gamma %v",
			what, want, a.rows-a.lacking, a.rows, a.heads, a.size, a.q, a.k, a.text, a.visual, a.gamma),
		result: tensor.F32, scale: a.scale, strided: a.strided, flops: flops,
		build: func(s *stage) (tensor.Tensor, func()) { return a.build(s, want) },
	}
}

func (a attentionStats) build(s *stage, want told) (tensor.Tensor, func()) {
	cols, sharp := a.heads*a.size, a.sharp
	if sharp == 0 {
		sharp = 1
	}
	n := a.rows - a.lacking
	q, k := s.state(n, cols, a.q, s.normal(n*cols, 0, sharp)), s.input(a.rows, cols, a.k)
	stats, maps := s.blank(2*a.heads, a.visual.Len(), tensor.F32), none
	if want != unmapped {
		maps = s.blank(a.visual.Len(), a.text.Len(), tensor.F32)
	}
	spec := tensor.AttentionSpec{Heads: a.heads, Scale: float32(1 / math.Sqrt(float64(a.size))), Gamma: a.gamma, Text: a.text, Visual: a.visual}
	seen := stats.RowRange(0, a.heads)
	switch want {
	case entropy:
		seen = stats.RowRange(a.heads, 2*a.heads)
	case mapped:
		seen = maps
	}
	return seen, func() { s.b.AttentionStats(stats, maps, q, k, spec) }
}

func attentionStatsCases() []testCase {
	var all []testCase
	add := func(what string, a attentionStats) {
		for _, want := range []told{share, entropy, mapped, unmapped} {
			all = append(all, a.testCase(what, want))
		}
	}
	textFirst := func(rows, heads, size, text int, gamma float32) attentionStats {
		return attentionStats{rows: rows, heads: heads, size: size, gamma: gamma,
			text: tensor.Span{Hi: text}, visual: tensor.Span{Lo: text, Hi: rows}}
	}
	for _, d := range activationTypes {
		typed := func(a attentionStats) attentionStats { a.q, a.k = d, d; return a }
		for _, size := range []int{8, 20, 40, 64, 128} {
			add("size", typed(textFirst(45, 2, size, 13, 1.2)))
		}
		for _, rows := range []int{2, 16, 33, 64, 129, 300} {
			add("rows", typed(textFirst(rows, 3, 32, rows/2, 1.3)))
		}
		add("plain", typed(textFirst(90, 2, 64, 29, 1)))
		add("weak", typed(textFirst(90, 2, 64, 29, 0.5)))
		add("one head", typed(textFirst(70, 1, 16, 64, 2)))
		sharp := typed(textFirst(120, 2, 64, 50, 3))
		sharp.sharp = 8
		add("sharp", sharp)
		strided := typed(textFirst(77, 3, 24, 30, 1.5))
		strided.strided = true
		add("strided", strided)
		last := typed(attentionStats{rows: 90, heads: 2, size: 64, gamma: 1.2, text: tensor.Span{Lo: 61, Hi: 90}, visual: tensor.Span{Hi: 61}})
		add("visual first", last)
		last.text, last.visual = tensor.Span{Lo: 7, Hi: 29}, tensor.Span{Lo: 41, Hi: 80}
		add("rows of neither", last)
		last.lacking = 23
		add("the last queries", last)
		last.text = tensor.Span{}
		add("no text", last)
		lacking := typed(textFirst(90, 2, 64, 29, 3))
		lacking.lacking = 29
		add("visual queries alone", lacking)
		big := typed(textFirst(700, 2, 64, 150, 1.2))
		big.scale = large
		add("large", big)
		big = typed(textFirst(4608, 2, 128, 512, 1.2))
		big.scale = huge
		all = append(all, big.testCase("huge", mapped), big.testCase("huge", unmapped))
	}
	mixed := textFirst(45, 2, 48, 13, 1.2)
	mixed.q, mixed.k = tensor.F32, tensor.BF16
	add("formats", mixed)
	return all
}
