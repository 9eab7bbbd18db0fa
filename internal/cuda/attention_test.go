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
			rows := 128 + (r*29)%64 + r%2*64 // the tail is shorter and longer than half a block
			c := attentionCase{rows: rows, heads: 1, size: size, gamma: 1.6, sharp: 3, every: 1,
				text: tensor.Span{Lo: r / 2, Hi: 64 + r}, visual: tensor.Span{Lo: (r * 13) % 64, Hi: rows - (r*7)%64}}
			c.check(t, b)
			// Text last, as a neighbour of the visual tokens.
			c.text, c.visual = tensor.Span{Lo: 64 + r, Hi: rows}, tensor.Span{Hi: 64 + r}
			c.check(t, b)
		}
	}
	for rows := 1; rows < 64; rows++ { // absent keys would count for much
		for _, size := range []int{64, 128} {
			attentionCase{rows: rows, heads: 1, size: size, gamma: 1.3, sharp: 0.2, every: 1,
				text: tensor.Span{Hi: rows / 3}, visual: tensor.Span{Lo: rows / 3, Hi: rows}}.check(t, b)
		}
	}
	for _, amplitude := range []float64{0, 20, 60} {
		for _, size := range []int{64, 128} {
			attentionCase{rows: 257, heads: 2, size: size, gamma: 2, sharp: amplitude, every: 1,
				text: tensor.Span{Hi: 70}, visual: tensor.Span{Lo: 70, Hi: 257}}.check(t, b)
		}
	}
}

// TestPeaks gives every query one key that it must not overlook: without it in
// the maximum, the exponentials overflow. The key is at another place of the
// tile for every query and every shift.
func TestPeaks(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	const rows = 192
	for _, size := range []int{64, 128} {
		random := rand.New(rand.NewPCG(5, uint64(size)))
		keys, queries, values := make([]float32, rows*size), make([]float32, rows*size), make([]float32, rows*size)
		for i := range keys {
			keys[i], values[i] = float32(2*random.IntN(2)-1), float32(random.IntN(256))/128-1
		}
		for shift := range 16 {
			for i := range rows {
				for e := range size {
					queries[i*size+e] = 8 * keys[(i*5+shift*3)%rows*size+e] // its logit is 8·size, any other about 8·√size
				}
			}
			got := attend(t, b, [3][]float32{queries, keys, values}, rows, size,
				tensor.AttentionSpec{Heads: 1, Scale: 1, Gamma: 1.2, Text: tensor.Span{Hi: 70}, Visual: tensor.Span{Lo: 70, Hi: rows}})
			for i := range rows {
				for e := range size {
					if want := values[(i*5+shift*3)%rows*size+e]; got[i*size+e] != want {
						t.Fatalf("heads of %d, shift %d: row %d column %d is %v, want %v", size, shift, i, e, got[i*size+e], want)
					}
				}
			}
		}
	}
}

// TestRowsAlone compares bits of text rows whose neighbours in a warp are
// visual, and feel gamma.
func TestRowsAlone(t *testing.T) {
	b := device(t, Options{})
	defer closes(t, b)
	const rows, text, heads, size = 400, 351, 48, 64
	random := rand.New(rand.NewPCG(6, 6))
	var operands [3][]float32
	for i := range operands {
		operands[i] = make([]float32, rows*heads*size)
		for j := range operands[i] {
			operands[i][j] = float32(random.IntN(256))/64 - 2
			if i == 1 { // later keys weigh more: the maxima follow for visual rows, and need not for text
				operands[i][j] = math.Float32frombits(math.Float32bits(operands[i][j]*float32(j/(heads*size)/64+1)/8) &^ 0xffff)
			}
		}
	}
	var got [2][]float32
	for i, gamma := range []float32{1, 7} {
		got[i] = attend(t, b, operands, rows, heads*size, tensor.AttentionSpec{Heads: heads, Scale: 0.25, Gamma: gamma,
			Text: tensor.Span{Hi: text}, Visual: tensor.Span{Lo: text, Hi: rows}})[:text*heads*size]
	}
	same(t, got[1], got[0], 0)
}

// attend is attention of q, k and v, which are numbers that BF16 holds.
func attend(t *testing.T, b *Backend, qkv [3][]float32, rows, cols int, spec tensor.AttentionSpec) []float32 {
	t.Helper()
	var operands [4]tensor.Tensor
	for i := range operands {
		var err error
		if operands[i], err = b.New(rows, cols, tensor.BF16); err != nil {
			t.Fatal(err)
		}
		defer b.Free(operands[i])
		if i < 3 {
			b.Upload(operands[i], qkv[i])
		}
	}
	b.Attention(operands[3], operands[0], operands[1], operands[2], spec)
	got := make([]float32, rows*cols)
	b.Download(got, operands[3])
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return got
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
	for i := range host {
		host[i] = make([]float32, c.rows*cols)
		for j := range host[i] {
			v := random.NormFloat64()
			if i == 0 {
				v *= c.sharp
			}
			host[i][j] = math.Float32frombits(math.Float32bits(float32(v)) &^ 0xffff) // exact in bf16
		}
	}
	scale := 1 / math.Sqrt(float64(c.size))
	got := attend(t, b, host, c.rows, cols, tensor.AttentionSpec{Heads: c.heads, Scale: float32(scale),
		Gamma: c.gamma, Text: c.text, Visual: c.visual})
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
