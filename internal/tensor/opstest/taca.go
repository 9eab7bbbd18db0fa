package opstest

import (
	"errors"
	"fmt"
	"math"

	"taca/internal/tensor"
)

// property is something TACA's attention guarantees without any reference.
type property struct {
	name  string
	holds func(b tensor.Backend) error
}

// tacaProperties is what every backend is held to. The bits of a result are
// compared wherever both sides do the same arithmetic; elsewhere the rule of
// judge applies.
var tacaProperties = []property{
	{"gamma 1 is plain attention", everywhere(gammaOne)},
	{"an empty span makes gamma moot", everywhere(emptySpan)},
	{"only visual rows feel gamma", everywhere(onlyVisual)},
	{"gamma scales the text keys", everywhere(scalesKeys)},
	{"token order is immaterial", everywhere(tokenOrder)},
	{"queries do not see each other", everywhere(lastQueries)},
	{"every boundary within two tiles", boundaries},
}

// everywhere tries a property in both formats on several shapes and layouts.
func everywhere(holds func(b tensor.Backend, j joint, l layout) error) func(tensor.Backend) error {
	return func(b tensor.Backend) error {
		var errs []error
		for _, d := range activationTypes {
			for _, shape := range [][3]int{{1, 2, 16}, {2, 1, 64}, {3, 3, 16}, {33, 2, 64}, {70, 2, 128}, {150, 2, 16}} {
				j := newJoint(shape[0], shape[1], shape[2], d)
				for _, l := range layouts(j.rows) {
					if err := holds(b, j, l); err != nil {
						errs = append(errs, fmt.Errorf("%d rows, %d×%d %v, text %v, visual %v: %w", j.rows, j.heads, j.size, d, l.text, l.visual, err))
					}
				}
			}
		}
		return errors.Join(errs...)
	}
}

// layout is where the tokens of each kind are.
type layout struct{ text, visual tensor.Span }

// layouts are text first, visual first, and rows of neither kind around both.
func layouts(n int) []layout {
	return []layout{
		{tensor.Span{Lo: 0, Hi: n / 3}, tensor.Span{Lo: n / 3, Hi: n}},
		{tensor.Span{Lo: n - n/3, Hi: n}, tensor.Span{Lo: 0, Hi: n - n/3}},
		{tensor.Span{Lo: n / 8, Hi: n / 2}, tensor.Span{Lo: n/2 + n/8, Hi: n - n/8}},
	}
}

// rest is the rows of n that are not visual.
func (l layout) rest(n int) []tensor.Span {
	return []tensor.Span{{Lo: 0, Hi: l.visual.Lo}, {Lo: l.visual.Hi, Hi: n}}
}

func gammaOne(b tensor.Backend, j joint, l layout) error {
	plain, err := j.on(b, 1, layout{})
	if err != nil {
		return err
	}
	got, err := j.on(b, 1, l)
	return errors.Join(err, j.same(got, plain, tensor.Span{Hi: j.rows}))
}

func emptySpan(b tensor.Backend, j joint, l layout) error {
	plain, err := j.on(b, 1, layout{})
	if err != nil {
		return err
	}
	for _, none := range []tensor.Span{{}, {Lo: j.rows, Hi: j.rows}, {Lo: j.rows / 2, Hi: j.rows / 2}} {
		noText, err := j.on(b, 3, layout{none, l.visual})
		noVisual, also := j.on(b, 3, layout{l.text, none})
		all := tensor.Span{Hi: j.rows}
		if err := errors.Join(err, also, j.same(noText, plain, all), j.same(noVisual, plain, all)); err != nil {
			return err
		}
	}
	return nil
}

func onlyVisual(b tensor.Backend, j joint, l layout) error {
	plain, err := j.on(b, 1, layout{})
	if err != nil {
		return err
	}
	for _, gamma := range []float32{0.5, 1.2, 7} {
		got, err := j.on(b, gamma, l)
		for _, rows := range l.rest(j.rows) {
			err = errors.Join(err, j.same(got, plain, rows))
		}
		if err != nil {
			return fmt.Errorf("gamma %v: %w", gamma, err)
		}
	}
	return nil
}

// scalesKeys needs powers of two, by which multiplying is exact in any format.
func scalesKeys(b tensor.Backend, j joint, l layout) error {
	for _, gamma := range []float32{0.25, 2} {
		want, err := j.warm(l.text, gamma).on(b, 1, layout{})
		if err != nil {
			return err
		}
		got, err := j.on(b, gamma, l)
		if err := errors.Join(err, j.same(got, want, l.visual)); err != nil {
			return fmt.Errorf("gamma %v: %w", gamma, err)
		}
	}
	return nil
}

// tokenOrder reverses the tokens within each span, and puts the second span
// before the first. Sums change their order, so the bits may differ.
func tokenOrder(b tensor.Backend, j joint, l layout) error {
	const gamma = 1.3
	truth, err := j.on(NewExact(), gamma, l)
	if err != nil {
		return err
	}
	naive, err := j.on(NewNaive(j.d), gamma, l)
	if err != nil {
		return err
	}
	for _, other := range [...]func(layout, int) ([]int, layout){reversed, exchanged} {
		order, moved := other(l, j.rows)
		want := expectation{dtype: j.d, truth: j.permute(truth, order), naive: j.permute(naive, order)}
		got, err := j.permuted(order).on(b, gamma, moved)
		if err != nil {
			return err
		}
		if err := want.judge(got); err != nil {
			return err
		}
	}
	return nil
}

// reversed is the order in which each span runs backwards.
func reversed(l layout, n int) ([]int, layout) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
		for _, s := range []tensor.Span{l.text, l.visual} {
			if s.Has(i) {
				order[i] = s.Lo + s.Hi - 1 - i
			}
		}
	}
	return order, l
}

// exchanged is the order in which the last rows come first, cut where visual
// begins or ends, so that neither span is torn.
func exchanged(l layout, n int) ([]int, layout) {
	cut := l.visual.Lo
	if l.text.Lo >= l.visual.Hi {
		cut = l.visual.Hi
	}
	order := make([]int, n)
	for i := range order {
		order[i] = (i + cut) % n
	}
	move := func(s tensor.Span) tensor.Span {
		if s.Empty() {
			return s
		}
		lo := (s.Lo - cut + n) % n
		return tensor.Span{Lo: lo, Hi: lo + s.Len()}
	}
	return order, layout{move(l.text), move(l.visual)}
}

// lastQueries leaves out the first queries, whose keys and values stay.
func lastQueries(b tensor.Backend, j joint, l layout) error {
	const gamma = 2
	all, err := j.on(b, gamma, l)
	if err != nil {
		return err
	}
	for _, first := range []int{j.rows / 3, j.rows / 2, j.rows - 1} {
		got, err := j.asking(b, gamma, l, first)
		if err := errors.Join(err, j.same(got, all[first*j.heads*j.size:], tensor.Span{Hi: j.rows - first})); err != nil {
			return fmt.Errorf("queries from %d on: %w", first, err)
		}
	}
	return nil
}

// boundaries moves the end of the text over every row of two tiles, with text
// first and with visual first.
func boundaries(b tensor.Backend) error {
	const most, rows, gamma = 160, 176, 2
	for _, d := range activationTypes {
		j := newJoint(rows, 1, 16, d)
		plain, err := j.on(b, 1, layout{})
		if err != nil {
			return err
		}
		for nt := 0; nt <= most; nt++ {
			for _, l := range []layout{
				{tensor.Span{Lo: 0, Hi: nt}, tensor.Span{Lo: nt, Hi: rows}},
				{tensor.Span{Lo: rows - nt, Hi: rows}, tensor.Span{Lo: 0, Hi: rows - nt}},
			} {
				want, err := j.warm(l.text, gamma).on(b, 1, layout{})
				if err != nil {
					return err
				}
				got, err := j.on(b, gamma, l)
				if err := errors.Join(err, j.same(got, want, l.visual), j.same(got, plain, l.text)); err != nil {
					return fmt.Errorf("%v, text %v of %d: %w", d, l.text, rows, err)
				}
			}
		}
	}
	return nil
}

// joint is the queries, keys and values of a joint attention, row by row.
type joint struct {
	rows, heads, size int
	d                 tensor.DType
	q, k, v           []float64
}

func newJoint(rows, heads, size int, d tensor.DType) joint {
	s := newStage(NewReference(), seed("joint", rows), false)
	n := rows * heads * size
	return joint{rows: rows, heads: heads, size: size, d: d, q: s.normal(n, 0, 2), k: s.normal(n, 0, 1), v: s.normal(n, 0, 1)}
}

// on is the attention's result on a backend.
func (j joint) on(b tensor.Backend, gamma float32, l layout) ([]float64, error) {
	return j.asking(b, gamma, l, 0)
}

// asking is the result for the queries from the given one on.
func (j joint) asking(b tensor.Backend, gamma float32, l layout, first int) ([]float64, error) {
	s := newStage(b, 0, false)
	defer s.close()
	cols, n := j.heads*j.size, j.rows-first
	q, k, v := s.state(n, cols, j.d, j.q[first*cols:]), s.state(j.rows, cols, j.d, j.k), s.state(j.rows, cols, j.d, j.v)
	dst := s.blank(n, cols, j.d)
	b.Attention(dst, q, k, v, tensor.AttentionSpec{
		Heads: j.heads, Scale: float32(1 / math.Sqrt(float64(j.size))),
		Gamma: gamma, Text: l.text, Visual: l.visual,
	})
	return values(b, dst), b.Err()
}

// warm is j with the keys of some rows multiplied.
func (j joint) warm(rows tensor.Span, by float32) joint {
	k := append([]float64(nil), j.k...)
	cols := j.heads * j.size
	for i := rows.Lo * cols; i < rows.Hi*cols; i++ {
		k[i] = round(j.d, k[i]) * float64(by)
	}
	j.k = k
	return j
}

// permuted is j with row order[i] moved to row i.
func (j joint) permuted(order []int) joint {
	j.q, j.k, j.v = j.permute(j.q, order), j.permute(j.k, order), j.permute(j.v, order)
	return j
}

func (j joint) permute(rows []float64, order []int) []float64 {
	cols := j.heads * j.size
	out := make([]float64, 0, len(rows))
	for _, from := range order {
		out = append(out, rows[from*cols:(from+1)*cols]...)
	}
	return out
}

// same compares the bits of some rows; a row of NaN is never the same.
func (j joint) same(got, want []float64, rows tensor.Span) error {
	cols := j.heads * j.size
	for i := rows.Lo * cols; i < rows.Hi*cols; i++ {
		if got[i] != want[i] {
			return fmt.Errorf("row %d, column %d is %v, want exactly %v", i/cols, i%cols, got[i], want[i])
		}
	}
	return nil
}
