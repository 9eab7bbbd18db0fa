package opstest

import (
	"maps"
	"math"
	"strings"
	"testing"

	"taca/internal/tensor"
)

// TestMutants breaks the reference in the ways that backends break, and fails
// where the cases of the verb do not notice.
func TestMutants(t *testing.T) {
	r := &reference{name: "mutant"}
	all := attentionMutants(r)
	maps.Copy(all, map[string]mutant{
		"bias forgotten":             {"Linear", noBias{r}},
		"one GELU for the other":     {"Linear", otherGELU{r}},
		"input through BF16":         {"Linear", coarse{r}},
		"last column of x forgotten": {"Linear", noTail{r}},
		"last row not written":       {"Linear", noLastRow{r}},
		"writes a column too many":   {"Linear", spills{r}},
		"scale ignored":              {"AddLowRank", unscaled{r}},
		"overwrites the sum":         {"AddLowRank", overwrites{r}},
		"gain counted from 0":        {"ModulatedNorm", fromZero{r}},
		"shift for scale":            {"ModulatedNorm", swapped{r}},
		"eps forgotten":              {"ModulatedNorm", noEps{r}},
		"eps forgotten, layer":       {"LayerNorm", noEps{r}},
		"eps forgotten, RMS":         {"RMSNorm", noEps{r}},
		"variance in one pass":       {"LayerNorm", onePass{r}},
		"turned the other way":       {"QKNormRope", clockwise{r}},
		"norm over all heads":        {"QKNormRope", oneHead{r}},
		"pairs half a head apart":    {"QKNormRope", halves{r}},
		"gate ignored":               {"GatedAdd", noGate{r}},
		"operands exchanged":         {"Mix", exchangedMix{r}},
		"quotient for product":       {"Mul", quotient{r}},
		"SiLU for everything":        {"Activate", onlySiLU{r}},
		"first row for all":          {"Gather", firstRow{r}},
		"rounds toward zero":         {"Copy", truncates{r}},
		"bilinear order":             {"Upsample2x", columnsFirst{r}},
		"taps transposed":            {"Conv3x3", transposedTaps{r}},
		"no bias in a convolution":   {"Conv3x3", noBias{r}},
		"groups of one":              {"GroupNorm", moreGroups{r}},
		"activation forgotten":       {"GroupNorm", inactive{r}},
		"eps forgotten, group":       {"GroupNorm", noEps{r}},
	})
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			for _, c := range cases() {
				if strings.HasPrefix(c.name, m.verb+"/") && c.scale == small && check(m.broken, c) != nil {
					return
				}
			}
			t.Errorf("no case of %s fails", m.verb)
		})
	}
}

// mutant is a broken backend and the verb whose cases are to notice.
type mutant struct {
	verb   string
	broken tensor.Backend
}

func attentionMutants(r *reference) map[string]mutant {
	return map[string]mutant{
		"logits unscaled":        {"Attention", attended{r, func(s *tensor.AttentionSpec) { s.Scale = 1 }}},
		"causal forgotten":       {"Attention", attended{r, func(s *tensor.AttentionSpec) { s.Causal = false }}},
		"gamma forgotten":        {"Attention", attended{r, func(s *tensor.AttentionSpec) { s.Gamma = 1 }}},
		"bias a row off":         {"Attention", attended{r, biasRowOff}},
		"bias of the first head": {"Attention", attended{r, biasOfFirstHead}},
		"probabilities in BF16":  {"Attention", coarse{r}},
		"queries counted from 0": {"Attention", countsQueries{r}},
		"exponentials overflow":  {"Attention", overflows{r}},
		"share without gamma":    {"AttentionStats", attended{r, func(s *tensor.AttentionSpec) { s.Gamma = 1 }}},
		"gamma for all keys":     {"AttentionStats", attended{r, func(s *tensor.AttentionSpec) { s.Scale *= s.Gamma; s.Gamma = 1 }}},
		"visual counted from 0":  {"AttentionStats", countsQueries{r}},
		"queries a row late":     {"AttentionStats", lateQueries{r}},
		"entropy in bits":        {"AttentionStats", inBits{r}},
		"map of the first head":  {"AttentionStats", mapOfFirst{r}},
		"sums in BF16":           {"AttentionStats", coarse{r}},
	}
}

type noBias struct{ *reference }

func (b noBias) Linear(dst, x, w, _ tensor.Tensor, a tensor.Activation) {
	b.reference.Linear(dst, x, w, none, a)
}

func (b noBias) Conv3x3(dst, x, w, _ tensor.Tensor, g tensor.Grid) {
	b.reference.Conv3x3(dst, x, w, none, g)
}

type otherGELU struct{ *reference }

func (b otherGELU) Linear(dst, x, w, bias tensor.Tensor, a tensor.Activation) {
	if a == tensor.GELU {
		a = tensor.GELUTanh
	}
	b.reference.Linear(dst, x, w, bias, a)
}

// coarse computes in BF16 where the result is F32.
type coarse struct{ *reference }

func (b coarse) narrowed(x tensor.Tensor) tensor.Tensor {
	y := b.Scratch(x.Rows, x.Cols, tensor.BF16)
	b.Copy(y, x)
	return y
}

func (b coarse) Linear(dst, x, w, bias tensor.Tensor, a tensor.Activation) {
	b.reference.Linear(dst, b.narrowed(x), w, bias, a)
}

func (b coarse) Attention(dst, q, k, v tensor.Tensor, s tensor.AttentionSpec) {
	b.reference.Attention(dst, q, k, b.narrowed(v), s)
}

func (b coarse) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	b.reference.AttentionStats(stats, maps, q, k, s)
	b.Copy(stats, b.narrowed(stats))
}

// countsQueries takes the first row of q for the first token's.
type countsQueries struct{ *reference }

func (b countsQueries) Attention(dst, q, k, v tensor.Tensor, s tensor.AttentionSpec) {
	first := k.Rows - q.Rows
	s.Visual = tensor.Span{Lo: min(s.Visual.Lo+first, k.Rows), Hi: min(s.Visual.Hi+first, k.Rows)}
	b.reference.Attention(dst, q, k, v, s)
}

func (b countsQueries) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	all := b.Scratch(k.Rows, k.Cols, q.DType)
	b.Copy(all.RowRange(0, q.Rows), q)
	b.reference.AttentionStats(stats, maps, all, k, s)
}

// lateQueries takes each query's neighbour.
type lateQueries struct{ *reference }

func (b lateQueries) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	late := b.Scratch(q.Rows, q.Cols, q.DType)
	b.Copy(late, q)
	b.Copy(late.RowRange(0, q.Rows-1), q.RowRange(1, q.Rows))
	b.reference.AttentionStats(stats, maps, late, k, s)
}

type inBits struct{ *reference }

func (b inBits) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	b.reference.AttentionStats(stats, maps, q, k, s)
	entropies := stats.RowRange(s.Heads, 2*s.Heads)
	b.Mix(entropies, math.Log2E, entropies, 0, entropies)
}

type mapOfFirst struct{ *reference }

func (b mapOfFirst) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	b.reference.AttentionStats(stats, maps, q, k, s)
	if !maps.None() {
		size := q.Cols / s.Heads
		s.Heads = 1
		b.reference.AttentionStats(stats.RowRange(0, 2), maps, q.ColRange(0, size), k.ColRange(0, size), s)
	}
}

type noTail struct{ *reference }

func (b noTail) Linear(dst, x, w, bias tensor.Tensor, a tensor.Activation) {
	whole := x.Cols / 8 * 8
	b.reference.Linear(dst, x.ColRange(0, whole), w.ColRange(0, whole), bias, a)
}

type noLastRow struct{ *reference }

func (b noLastRow) Linear(dst, x, w, bias tensor.Tensor, a tensor.Activation) {
	last := max(dst.Rows-1, 0)
	b.reference.Linear(dst.RowRange(0, last), x.RowRange(0, last), w, bias, a)
}

type spills struct{ *reference }

func (b spills) Linear(dst, x, w, bias tensor.Tensor, a tensor.Activation) {
	b.reference.Linear(dst, x, w, bias, a)
	if dst.Stride > dst.Cols {
		dst.Mem.(*memory).values[dst.Offset+dst.Cols] = 0
	}
}

type unscaled struct{ *reference }

func (b unscaled) AddLowRank(dst, x, down, up tensor.Tensor, _ float32) {
	b.reference.AddLowRank(dst, x, down, up, 1)
}

type overwrites struct{ *reference }

func (b overwrites) AddLowRank(dst, x, down, up tensor.Tensor, by float32) {
	b.reference.Mix(dst, 0, dst, 0, dst)
	b.reference.AddLowRank(dst, x, down, up, by)
}

type fromZero struct{ *reference }

func (b fromZero) ModulatedNorm(dst, x, shift, scale tensor.Tensor, eps float32) {
	b.reference.LayerNorm(dst, x, scale, shift, eps)
}

type swapped struct{ *reference }

func (b swapped) ModulatedNorm(dst, x, shift, scale tensor.Tensor, eps float32) {
	b.reference.ModulatedNorm(dst, x, scale, shift, eps)
}

// noEps has an eps too small to matter, so that rows of zeros stay finite.
type noEps struct{ *reference }

func (b noEps) ModulatedNorm(dst, x, shift, scale tensor.Tensor, _ float32) {
	b.reference.ModulatedNorm(dst, x, shift, scale, 1e-30)
}

func (b noEps) LayerNorm(dst, x, gain, bias tensor.Tensor, _ float32) {
	b.reference.LayerNorm(dst, x, gain, bias, 1e-30)
}

func (b noEps) RMSNorm(dst, x, gain tensor.Tensor, _ float32) {
	b.reference.RMSNorm(dst, x, gain, 1e-30)
}

func (b noEps) GroupNorm(dst, x, gain, bias tensor.Tensor, groups int, _ float32, a tensor.Activation) {
	b.reference.GroupNorm(dst, x, gain, bias, groups, 1e-30, a)
}

// onePass finds the variance as E[x²] - E[x]² in F32.
type onePass struct{ *reference }

func (b onePass) LayerNorm(dst, x, gain, bias tensor.Tensor, eps float32) {
	g, c := vector(gain), vector(bias)
	for i := range x.Rows {
		row := load(x, i, nil)
		var sum, squares float32
		for _, v := range row {
			sum += float32(v)
			squares += float32(v) * float32(v)
		}
		n := float32(len(row))
		mean := sum / n
		deviation := math.Sqrt(float64(max(squares/n-mean*mean, 0) + eps))
		for j, v := range row {
			row[j] = (v-float64(mean))/deviation*g[j] + c[j]
		}
		b.store(dst, i, row)
	}
}

type clockwise struct{ *reference }

func (b clockwise) QKNormRope(x, gain, rope tensor.Tensor, heads int, eps float32) {
	if !rope.None() {
		turned := b.Scratch(rope.Rows, rope.Cols, tensor.F32)
		for i := range rope.Rows {
			row := load(rope, i, nil)
			for j := 1; j < len(row); j += 2 {
				row[j] = -row[j]
			}
			b.store(turned, i, row)
		}
		rope = turned
	}
	b.reference.QKNormRope(x, gain, rope, heads, eps)
}

type oneHead struct{ *reference }

func (b oneHead) QKNormRope(x, gain, rope tensor.Tensor, heads int, eps float32) {
	if !gain.None() {
		g := b.Scratch(1, x.Cols, tensor.F32)
		for h := range heads {
			b.Copy(g.ColRange(h*gain.Cols, (h+1)*gain.Cols), gain)
		}
		b.reference.RMSNorm(x, x, g, eps)
	}
	b.reference.QKNormRope(x, none, rope, heads, eps)
}

// halves turns the pairs (j, j + size/2), as other models do.
type halves struct{ *reference }

func (b halves) QKNormRope(x, gain, rope tensor.Tensor, heads int, eps float32) {
	b.reference.QKNormRope(x, gain, none, heads, eps)
	if rope.None() {
		return
	}
	size := x.Cols / heads
	for i := range x.Rows {
		row, turn := load(x, i, nil), load(rope, i, nil)
		for h := range heads {
			head := row[h*size : (h+1)*size]
			for j := range size / 2 {
				u, v, cos, sin := head[j], head[j+size/2], turn[2*j], turn[2*j+1]
				head[j], head[j+size/2] = u*cos-v*sin, u*sin+v*cos
			}
		}
		b.store(x, i, row)
	}
}

// attended is an attention that understands its spec another way.
type attended struct {
	*reference
	mistake func(*tensor.AttentionSpec)
}

func (b attended) Attention(dst, q, k, v tensor.Tensor, s tensor.AttentionSpec) {
	b.mistake(&s)
	b.reference.Attention(dst, q, k, v, s)
}

func (b attended) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	b.mistake(&s)
	b.reference.AttentionStats(stats, maps, q, k, s)
}

func biasRowOff(s *tensor.AttentionSpec) {
	if !s.RelBias.None() {
		raw := s.RelBias.Mem.(*memory).raw
		size := s.RelBias.Cols * s.RelBias.DType.Size()
		turned := append(append([]byte(nil), raw[size:]...), raw[:size]...)
		s.RelBias.Mem = &memory{raw: turned, dtype: s.RelBias.DType}
	}
}

func biasOfFirstHead(s *tensor.AttentionSpec) {
	if !s.RelBias.None() {
		first := make([]float64, 0, s.RelBias.Rows*s.RelBias.Cols)
		for i := range s.RelBias.Rows {
			for range s.RelBias.Cols {
				first = append(first, load(s.RelBias, i, nil)[0])
			}
		}
		s.RelBias.Mem = &memory{values: first, dtype: s.RelBias.DType}
	}
}

// overflows does not subtract the greatest logit.
type overflows struct{ *reference }

func (b overflows) Attention(dst, q, k, v tensor.Tensor, s tensor.AttentionSpec) {
	b.reference.Attention(dst, q, k, v, s)
	size := q.Cols / s.Heads
	for i := range q.Rows {
		row := load(q, i, nil)
		for _, l := range b.logits(row[:size], loadAll(k.ColRange(0, size)), i, nil, s) {
			if math.IsInf(float64(float32(math.Exp(l))), 0) {
				b.store(dst, i, make([]float64, dst.Cols))
			}
		}
	}
}

type noGate struct{ *reference }

func (b noGate) GatedAdd(x, y, _ tensor.Tensor) { b.reference.GatedAdd(x, y, none) }

type exchangedMix struct{ *reference }

func (b exchangedMix) Mix(dst tensor.Tensor, a float32, x tensor.Tensor, c float32, y tensor.Tensor) {
	b.reference.Mix(dst, a, y, c, x)
}

type quotient struct{ *reference }

func (b quotient) Mul(dst, x, y tensor.Tensor) {
	b.each(dst, x, y, func(_ int, u, v float64) float64 { return u / v })
}

type onlySiLU struct{ *reference }

func (b onlySiLU) Activate(dst, x tensor.Tensor, _ tensor.Activation) {
	b.reference.Activate(dst, x, tensor.SiLU)
}

type firstRow struct{ *reference }

func (b firstRow) Gather(dst, table tensor.Tensor, ids []int32) {
	b.reference.Gather(dst, table, make([]int32, len(ids)))
}

type truncates struct{ *reference }

func (b truncates) Copy(dst, src tensor.Tensor) {
	b.reference.Copy(dst, src)
	if dst.DType != tensor.BF16 {
		return
	}
	for i := range src.Rows {
		row := load(src, i, nil)
		for j, v := range row {
			row[j] = float64(math.Float32frombits(math.Float32bits(float32(v)) &^ 0xFFFF))
		}
		b.store(dst, i, row)
	}
}

type columnsFirst struct{ *reference }

func (b columnsFirst) Upsample2x(dst, x tensor.Tensor, g tensor.Grid) {
	b.reference.Upsample2x(dst, x, tensor.Grid{Height: g.Width, Width: g.Height})
}

type transposedTaps struct{ *reference }

func (b transposedTaps) Conv3x3(dst, x, w, bias tensor.Tensor, g tensor.Grid) {
	turned := b.Scratch(w.Rows, w.Cols, tensor.F32)
	in := x.Cols
	for o := range w.Rows {
		row, to := load(w, o, nil), make([]float64, w.Cols)
		for tap := range 9 {
			copy(to[(tap%3*3+tap/3)*in:][:in], row[tap*in:])
		}
		b.store(turned, o, to)
	}
	b.reference.Conv3x3(dst, x, turned, bias, g)
}

type moreGroups struct{ *reference }

func (b moreGroups) GroupNorm(dst, x, gain, bias tensor.Tensor, _ int, eps float32, a tensor.Activation) {
	b.reference.GroupNorm(dst, x, gain, bias, x.Cols, eps, a)
}

type inactive struct{ *reference }

func (b inactive) GroupNorm(dst, x, gain, bias tensor.Tensor, groups int, eps float32, _ tensor.Activation) {
	b.reference.GroupNorm(dst, x, gain, bias, groups, eps, tensor.Identity)
}
