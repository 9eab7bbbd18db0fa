package tensor

import "fmt"

// The Check functions hold the shape rules of the verbs, once for all
// backends. They panic with the verb and the sizes, since a wrong shape is a
// bug in a model.

func must(ok bool, verb string, operands ...any) {
	if !ok {
		panic("tensor: shapes do not fit: " + verb + " " + fmt.Sprint(operands...))
	}
}

func vector(t Tensor, n int) bool { return t.Rows == 1 && t.Cols == n && plain(t) }

func sameShape(a, b Tensor) bool { return a.Rows == b.Rows && a.Cols == b.Cols }

// plain is whether none of them is quantised or has a scale, as only the weights
// of Linear, the source of Copy and the table of Gather may.
func plain(tensors ...Tensor) bool {
	for _, t := range tensors {
		if t.DType.Quantised() || t.Scale != 0 {
			return false
		}
	}
	return true
}

// CheckLinear panics unless the operands of Linear fit.
func CheckLinear(dst, x, w, bias Tensor) {
	must(x.Cols == w.Cols && dst.Cols == w.Rows && dst.Rows == x.Rows && plain(dst, x) &&
		(bias.None() || vector(bias, w.Rows)), "Linear:", dst, " = ", x, " · ", w, " + ", bias)
}

// CheckAddLowRank panics unless the operands of AddLowRank fit.
func CheckAddLowRank(dst, x, down, up Tensor) {
	must(x.Cols == down.Cols && down.Rows == up.Cols && dst.Cols == up.Rows && dst.Rows == x.Rows && plain(dst, x, down, up),
		"AddLowRank:", dst, " += ", x, " · ", down, " · ", up)
}

// CheckNorm panics unless x and dst agree and every vector spans a row; an
// absent vector is not accepted.
func CheckNorm(verb string, dst, x Tensor, vectors ...Tensor) {
	ok := sameShape(dst, x)
	for _, v := range vectors {
		ok = ok && vector(v, x.Cols)
	}
	must(ok, verb+":", dst, " = ", x, " with ", vectors)
}

// CheckQKNormRope panics unless the operands of QKNormRope fit.
func CheckQKNormRope(x, gain, rope Tensor, heads int) {
	size := x.Cols / max(heads, 1)
	must(heads > 0 && x.Cols%heads == 0 && size%2 == 0 && (gain.None() || vector(gain, size)) &&
		(rope.None() || rope.Rows == x.Rows && rope.Cols == size && rope.DType == F32),
		"QKNormRope:", x, " by ", gain, " and ", rope, " in ", heads, " heads")
}

// CheckAttention panics unless the operands of Attention fit.
func CheckAttention(dst, q, k, v Tensor, s AttentionSpec) {
	lacking := q.Rows < k.Rows && !s.Causal && s.RelBias.None()
	must(s.Heads > 0 && k.Cols%s.Heads == 0 && sameShape(k, v) && sameShape(q, dst) && q.Cols == k.Cols && (q.Rows == k.Rows || lacking) &&
		s.Scale > 0 && s.Gamma > 0 && (s.RelBias.None() || s.RelBias.Rows == 2*q.Rows-1 && s.RelBias.Cols == s.Heads),
		"Attention:", dst, " = ", q, ", ", k, ", ", v, " in ", s.Heads, " heads, scale ", s.Scale, ", gamma ", s.Gamma, ", bias ", s.RelBias)
	for _, span := range []Span{s.Text, s.Visual} {
		must(span.Empty() || 0 <= span.Lo && span.Hi <= k.Rows, "Attention: span", span, " of ", k)
	}
}

// CheckAttentionStats panics unless the operands of AttentionStats fit.
func CheckAttentionStats(stats, maps, q, k Tensor, s AttentionSpec) {
	CheckAttention(q, q, k, k, s)
	visual, text := max(0, s.Visual.Len()), max(0, s.Text.Len())
	must(!s.Causal && s.RelBias.None() && (visual == 0 || s.Visual.Lo >= k.Rows-q.Rows) && stats.Rows == 2*s.Heads && stats.Cols == visual && stats.DType == F32 &&
		(maps.None() || maps.Rows == visual && maps.Cols == text && maps.DType == F32),
		"AttentionStats: ", stats, " and ", maps, " = ", q, ", ", k, " in ", s.Heads, " heads, ", visual, " queries, ", text, " keys")
}

// CheckSame panics unless all tensors have the shape of the first.
func CheckSame(verb string, first Tensor, rest ...Tensor) {
	for _, t := range rest {
		must(sameShape(first, t) && plain(first, t), verb+":", first, " and ", rest)
	}
}

// CheckCopy panics unless dst has the shape of src and holds numbers.
func CheckCopy(dst, src Tensor) { must(sameShape(dst, src) && plain(dst), "Copy:", dst, " = ", src) }

// CheckGatedAdd panics unless the operands of GatedAdd fit.
func CheckGatedAdd(x, y, gate Tensor) {
	must(sameShape(x, y) && (gate.None() || vector(gate, x.Cols)), "GatedAdd:", x, " += ", gate, " · ", y)
}

// CheckGather panics unless every id is a row of table.
func CheckGather(dst, table Tensor, ids []int32) {
	must(dst.Rows == len(ids) && dst.Cols == table.Cols && plain(dst) && !table.DType.Rotated(), "Gather:", dst, " = ", len(ids), " rows of ", table)
	for _, id := range ids {
		must(0 <= id && int(id) < table.Rows, "Gather: row ", id, " of ", table)
	}
}

// CheckConv3x3 panics unless the operands of Conv3x3 fit.
func CheckConv3x3(dst, x, w, bias Tensor, g Grid) {
	must(x.Rows == g.Rows() && dst.Rows == x.Rows && w.Cols == 9*x.Cols && dst.Cols == w.Rows && plain(dst, x, w) &&
		(bias.None() || vector(bias, w.Rows)), "Conv3x3:", dst, " = ", x, " * ", w, " + ", bias, " on ", g)
}

// CheckGroupNorm panics unless the operands of GroupNorm fit.
func CheckGroupNorm(dst, x, gain, bias Tensor, groups int) {
	CheckNorm("GroupNorm", dst, x, gain, bias)
	must(groups > 0 && x.Cols%groups == 0, "GroupNorm: ", groups, " groups of ", x)
}

// CheckUpsample2x panics unless dst has twice the height and width of x.
func CheckUpsample2x(dst, x Tensor, g Grid) {
	must(x.Rows == g.Rows() && dst.Rows == 4*x.Rows && dst.Cols == x.Cols, "Upsample2x:", dst, " = ", x, " on ", g)
}

// CheckHost panics unless n host values fill t.
func CheckHost(verb string, t Tensor, n int) {
	must(t.Rows*t.Cols == n, verb+":", t, " and ", n, " values")
}
