//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"taca/internal/tensor"
)

// attentionCase is one head, or a few, of normal numbers.
type attentionCase struct {
	rows, heads, size int
	text, visual      tensor.Span
	gamma             float32
	sharp             float64 // spread of the queries
	every             int     // which rows are compared
}

// TestAttention is the least that a kernel must do, so that one that never ends
// is known at once.
func TestAttention(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	for _, size := range []int{64, 128} {
		attentionCase{rows: 200, heads: 1, size: size, gamma: 1.6, sharp: 3, every: 1,
			text: tensor.Span{Hi: 70}, visual: tensor.Span{Lo: 70, Hi: 200}}.check(t, b)
	}
}

// TestEdges moves the number of rows and both edges of both spans through all
// residues of a tile.
func TestEdges(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	for r := range 64 {
		for _, size := range []int{64, 128} {
			rows := 128 + (r*29)%64
			c := attentionCase{rows: rows, heads: 1, size: size, gamma: 1.6, sharp: 3, every: 1,
				text: tensor.Span{Lo: r / 2, Hi: 64 + r}, visual: tensor.Span{Lo: (r * 13) % 64, Hi: rows - (r*7)%64}}
			c.check(t, b)
			// Text last, as a neighbour of the visual tokens.
			c.text, c.visual = tensor.Span{Lo: 64 + r, Hi: rows}, tensor.Span{Hi: 64 + r}
			c.check(t, b)
		}
	}
	for _, amplitude := range []float64{0, 20, 60} {
		for _, size := range []int{64, 128} {
			attentionCase{rows: 257, heads: 2, size: size, gamma: 2, sharp: amplitude, every: 1,
				text: tensor.Span{Hi: 70}, visual: tensor.Span{Lo: 70, Hi: 257}}.check(t, b)
		}
	}
}

// TestRealShapes is one head of FLUX.1 and of SD3.5 at 1024×1024.
func TestRealShapes(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	for _, c := range []attentionCase{
		{rows: 4608, heads: 1, size: 128, text: tensor.Span{Hi: 512}, visual: tensor.Span{Lo: 512, Hi: 4608}, gamma: 1.5, sharp: 1, every: 37},
		{rows: 4429, heads: 1, size: 64, text: tensor.Span{Hi: 333}, visual: tensor.Span{Lo: 333, Hi: 4429}, gamma: 1.5, sharp: 1, every: 37},
	} {
		c.check(t, b)
	}
}

// check compares with float64 arithmetic on the same bf16 operands: bf16
// probabilities and a bf16 result allow a relative RMS error of 3e-3.
func (c attentionCase) check(t *testing.T, b *Backend) {
	t.Helper()
	cols := c.heads * c.size
	random := rand.New(rand.NewPCG(uint64(c.rows), uint64(c.size)))
	var host [3][]float32
	var operands [4]tensor.Tensor
	for i := range operands {
		var err error
		if operands[i], err = b.New(c.rows, cols, tensor.BF16); err != nil {
			t.Fatal(err)
		}
		defer b.Free(operands[i])
		if i == 3 {
			break
		}
		host[i] = make([]float32, c.rows*cols)
		for j := range host[i] {
			v := random.NormFloat64()
			if i == 0 {
				v *= c.sharp
			}
			host[i][j] = math.Float32frombits(math.Float32bits(float32(v)) &^ 0xffff) // exact in bf16
		}
		b.Upload(operands[i], host[i])
	}
	scale := 1 / math.Sqrt(float64(c.size))
	b.Attention(operands[3], operands[0], operands[1], operands[2], tensor.AttentionSpec{Heads: c.heads, Scale: float32(scale),
		Gamma: c.gamma, Text: c.text, Visual: c.visual})
	got := make([]float32, c.rows*cols)
	b.Download(got, operands[3])
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	var apart, whole float64
	for h := range c.heads {
		for i := 0; i < c.rows; i += c.every {
			var inRow, ofRow float64
			for e, want := range c.row(host, h, i, scale) {
				d := float64(got[i*cols+h*c.size+e]) - want
				inRow, ofRow = inRow+d*d, ofRow+want*want
			}
			if e := math.Sqrt(inRow / ofRow); !(e <= 1.2e-2) { // one row's share of luck
				t.Fatalf("%s: row %d of head %d: relative error %.2e", c, i, h, e)
			}
			apart, whole = apart+inRow, whole+ofRow
		}
	}
	if e := math.Sqrt(apart / whole); !(e <= 3e-3) {
		t.Fatalf("%s: relative RMS error %.2e, want at most 3e-3", c, e)
	} else if c.every > 1 {
		t.Logf("%s: relative RMS error %.2e", c, e)
	}
}

func (c attentionCase) String() string {
	return fmt.Sprintf("%d rows, %d×%d, text %v, visual %v, gamma %g, sharp %g", c.rows, c.heads, c.size, c.text, c.visual, c.gamma, c.sharp)
}

// row is attention's result for query i of head h.
func (c attentionCase) row(qkv [3][]float32, h, i int, scale float64) []float64 {
	cols := c.heads * c.size
	at := func(which, row int) []float32 { return qkv[which][row*cols+h*c.size:][:c.size] }
	logits, most := make([]float64, c.rows), math.Inf(-1)
	for j := range logits {
		for e, q := range at(0, i) {
			logits[j] += float64(q) * float64(at(1, j)[e])
		}
		logits[j] *= scale
		if c.visual.Has(i) && c.text.Has(j) {
			logits[j] *= float64(c.gamma)
		}
		most = max(most, logits[j])
	}
	sum, mixed := 0.0, make([]float64, c.size)
	for j, l := range logits {
		p := math.Exp(l - most)
		sum += p
		for e, v := range at(2, j) {
			mixed[e] += p * float64(v)
		}
	}
	for e := range mixed {
		mixed[e] /= sum
	}
	return mixed
}
