package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"taca/internal/tensor"
)

// TestStatsByThreads: neither how rows are shared out nor whether a map is asked
// for changes a bit.
func TestStatsByThreads(t *testing.T) {
	const rows, text, heads, size = 700, 90, 3, 40
	spec := tensor.AttentionSpec{Heads: heads, Scale: 0.2, Gamma: 1.3, Text: tensor.Span{Hi: text}, Visual: tensor.Span{Lo: text, Hi: rows}}
	for _, isa := range Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			var want [2][]float32
			for _, threads := range []int{1, 2, 7} {
				b := openISA(t, isa, threads)
				random := rand.New(rand.NewPCG(3, 4))
				q, k := operand(t, b, rows, heads*size, d, random), operand(t, b, rows, heads*size, d, random)
				stats, maps := operand(t, b, 2*heads, rows-text, tensor.F32, random), operand(t, b, rows-text, text, tensor.F32, random)
				alone := operand(t, b, 2*heads, rows-text, tensor.F32, random)
				b.AttentionStats(stats, maps, q, k, spec)
				b.AttentionStats(alone, tensor.Tensor{}, q, k, spec)
				var got [3][]float32
				for i, from := range []tensor.Tensor{stats, maps, alone} {
					got[i] = make([]float32, from.Rows*from.Cols)
					b.Download(got[i], from)
				}
				if want[0] == nil {
					want = [2][]float32{got[0], got[1]}
				}
				for i, values := range [][]float32{want[0], want[1], want[0]} {
					for j, v := range values {
						if got[i][j] != v {
							t.Fatalf("%s, %v, %d threads: element %d of result %d is %v, with one thread %v", isa, d, threads, j, i, got[i][j], v)
						}
					}
				}
				if err := b.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// TestStatsOfTheWidestHead sees that the workspace has room for it: keys that are
// all alike leave attention even.
func TestStatsOfTheWidestHead(t *testing.T) {
	const rows, text = 400, 150
	for _, isa := range Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			b := openISA(t, isa, 1)
			q, err := b.New(rows, widestHead, d)
			if err != nil {
				t.Fatal(err)
			}
			stats, maps := operand(t, b, 2, rows-text, tensor.F32, rand.New(rand.NewPCG(1, 1))), operand(t, b, rows-text, text, tensor.F32, rand.New(rand.NewPCG(1, 1)))
			b.AttentionStats(stats, maps, q, q, tensor.AttentionSpec{Heads: 1, Scale: 1, Gamma: 2, Text: tensor.Span{Hi: text}, Visual: tensor.Span{Lo: text, Hi: rows}})
			found := make([]float32, stats.Rows*stats.Cols)
			b.Download(found, stats)
			for i, v := range found {
				want := float64(text) / rows
				if i >= stats.Cols {
					want = math.Log(rows)
				}
				if math.Abs(float64(v)-want) > 1e-4 {
					t.Fatalf("%s, %v: element %d is %v, want %v", isa, d, i, v, want)
				}
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// BenchmarkAttentionStats has the spans of FLUX.1: a ninth of the tokens is text.
func BenchmarkAttentionStats(b *testing.B) {
	const rows, text, heads, size = 1536, 1536 / 9, 24, 128
	for _, isa := range Available() {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			b.Run(fmt.Sprintf("%s/%v", isa, d), func(b *testing.B) {
				o := openISA(b, isa, 0)
				defer o.Close()
				random := rand.New(rand.NewPCG(1, 2))
				q, k := operand(b, o, rows, heads*size, d, random), operand(b, o, rows, heads*size, d, random)
				stats, maps := operand(b, o, 2*heads, rows-text, tensor.F32, random), operand(b, o, rows-text, text, tensor.F32, random)
				for b.Loop() {
					o.AttentionStats(stats, maps, q, k, tensor.AttentionSpec{Heads: heads, Scale: 1 / float32(math.Sqrt(size)), Gamma: 1.2,
						Text: tensor.Span{Hi: text}, Visual: tensor.Span{Lo: text, Hi: rows}})
				}
				b.ReportMetric(2*float64((rows-text)*(rows+text)*heads*size)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}
