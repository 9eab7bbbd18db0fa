package opstest

import (
	"testing"

	"taca/internal/tensor"
)

// testShapes makes the mistakes that a model could make: each must panic, and
// none may spoil the backend.
func testShapes(t *testing.T, b tensor.Backend) {
	s := newStage(b, 1, false)
	defer s.close()
	x, y, long, row := s.input(4, 6, tensor.F32), s.input(4, 6, tensor.F32), s.input(5, 6, tensor.F32), s.input(1, 6, tensor.F32)
	square, tall, short := s.weight(6, 6, tensor.F32, 1), s.weight(8, 6, tensor.F32, 1), s.vector(5, tensor.F32)
	grid := tensor.Grid{Height: 2, Width: 2}
	spec := tensor.AttentionSpec{Heads: 2, Scale: 1, Gamma: 1}
	bad := spec
	panics(t, map[string]func(){
		"Linear, width of x":   func() { b.Linear(y, x.ColRange(0, 5), square, none, tensor.Identity) },
		"Linear, width of dst": func() { b.Linear(y, x, tall, none, tensor.Identity) },
		"Linear, rows":         func() { b.Linear(long, x, square, none, tensor.Identity) },
		"Linear, bias":         func() { b.Linear(y, x, square, short, tensor.Identity) },
		"AddLowRank":           func() { b.AddLowRank(y, x, tall, square, 1) },
		"ModulatedNorm":        func() { b.ModulatedNorm(y, x, short, short, 1e-6) },
		"LayerNorm":            func() { b.LayerNorm(long, x, row, row, 1e-6) },
		"RMSNorm":              func() { b.RMSNorm(y, x, square, 1e-6) },
		"QKNormRope, gain":     func() { b.QKNormRope(x, row, none, 3, 1e-6) },
		"QKNormRope, odd head": func() { b.QKNormRope(x, none, none, 2, 1e-6) },
		"QKNormRope, heads":    func() { b.QKNormRope(x, none, none, 4, 1e-6) },
		"QKNormRope, rope":     func() { b.QKNormRope(x, none, long.ColRange(0, 2), 3, 1e-6) },
		"Attention, rows":      func() { b.Attention(long, long, x, x, spec) },
		"Attention, rows of v": func() { b.Attention(y, x, x, long, spec) },
		"Attention, few of a causal one": func() {
			b.Attention(y, x, long, long, tensor.AttentionSpec{Heads: 2, Scale: 1, Gamma: 1, Causal: true})
		},
		"Attention, heads":    func() { bad.Heads = 4; b.Attention(y, x, x, x, bad) },
		"Attention, no gamma": func() { b.Attention(y, x, x, x, tensor.AttentionSpec{Heads: 2, Scale: 1}) },
		"Attention, no scale": func() { b.Attention(y, x, x, x, tensor.AttentionSpec{Heads: 2, Gamma: 1}) },
		"Attention, span": func() {
			b.Attention(y, x, x, x, tensor.AttentionSpec{Heads: 2, Scale: 1, Gamma: 1, Text: tensor.Span{Hi: 5}})
		},
		"Attention, bias":             func() { b.Attention(y, x, x, x, tensor.AttentionSpec{Heads: 2, Scale: 1, Gamma: 1, RelBias: square}) },
		"GatedAdd, rows":              func() { b.GatedAdd(x, long, none) },
		"GatedAdd, gate":              func() { b.GatedAdd(x, y, short) },
		"Activate":                    func() { b.Activate(x, long, tensor.SiLU) },
		"Mul":                         func() { b.Mul(x, y, long) },
		"Mix":                         func() { b.Mix(x, 1, long, 1, y) },
		"Gather, id":                  func() { b.Gather(x, square, []int32{0, 1, 2, 6}) },
		"Gather, negative id":         func() { b.Gather(x, square, []int32{0, 1, 2, -1}) },
		"Gather, rows":                func() { b.Gather(x, square, []int32{0}) },
		"Conv3x3, grid":               func() { b.Conv3x3(y, x, s.weight(6, 54, tensor.F32, 1), none, tensor.Grid{Height: 2, Width: 3}) },
		"Conv3x3, width":              func() { b.Conv3x3(y, x, square, none, grid) },
		"GroupNorm, groups":           func() { b.GroupNorm(y, x, row, row, 4, 1e-6, tensor.Identity) },
		"Upsample2x":                  func() { b.Upsample2x(y, x, grid) },
		"Copy":                        func() { b.Copy(x, long) },
		"Upload":                      func() { b.Upload(x, make([]float32, 23)) },
		"Download":                    func() { b.Download(make([]float32, 25), x) },
		"Release of a height too big": func() { b.Release(b.Mark() + 64) },
	})
	panics(t, statsMistakes(b, x, y))
	fill(b, x, 2)
	b.Copy(y, x)
	holds(t, b, "a copy after the panics", y, 2)
}

// statsMistakes are those with AttentionStats; x and y are 4 × 6.
func statsMistakes(b tensor.Backend, x, y tensor.Tensor) map[string]func() {
	spec := tensor.AttentionSpec{Heads: 2, Scale: 1, Gamma: 1, Text: tensor.Span{Hi: 1}, Visual: tensor.Span{Lo: 1, Hi: 4}}
	causal := spec
	causal.Causal = true
	stats, maps := x.ColRange(0, 3), x.ColRange(3, 4).RowRange(0, 3)
	return map[string]func(){
		"AttentionStats, heads":       func() { b.AttentionStats(stats.RowRange(0, 3), maps, y, y, spec) },
		"AttentionStats, queries":     func() { b.AttentionStats(x, maps, y, y, spec) },
		"AttentionStats, keys":        func() { b.AttentionStats(stats, x.RowRange(0, 3), y, y, spec) },
		"AttentionStats, rows of map": func() { b.AttentionStats(stats, x.ColRange(3, 4), y, y, spec) },
		"AttentionStats, visual ones": func() { b.AttentionStats(stats, maps, y.RowRange(2, 4), y, spec) },
		"AttentionStats, causal":      func() { b.AttentionStats(stats, maps, y, y, causal) },
	}
}

// panics sees that each of the mistakes does.
func panics(t *testing.T, mistakes map[string]func()) {
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			mistake()
		})
	}
}
