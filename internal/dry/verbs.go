package dry

import "taca/internal/tensor"

// FLOPs per element of the verbs that pass over rows once.
const (
	normFLOPs   = 7 // mean, difference, square, sum, quotient, gain, bias
	rmsFLOPs    = 4 // square, sum, quotient, gain
	rotateFLOPs = 3 // two products and a sum
)

func (b *Backend) count(verb string, flops float64) {
	c := b.verbs[verb]
	b.verbs[verb] = Count{c.Calls + 1, c.FLOPs + flops}
}

// size is the number of elements of t, as a float so that products do not
// overflow.
func size(t tensor.Tensor) float64 { return float64(t.Rows) * float64(t.Cols) }

// Linear is 2·n·in·out.
func (b *Backend) Linear(dst, x, w, bias tensor.Tensor, _ tensor.Activation) {
	tensor.CheckLinear(dst, x, w, bias)
	write("Linear", dst, nil, x, w, bias)
	b.count("Linear", 2*size(dst)*float64(x.Cols))
	b.operands[dst.Cols] = max(b.operands[dst.Cols], x.Rows*x.Cols)
}

// AddLowRank is 2·n·r·(in + out).
func (b *Backend) AddLowRank(dst, x, down, up tensor.Tensor, _ float32) {
	tensor.CheckAddLowRank(dst, x, down, up)
	write("AddLowRank", dst, nil, x, down, up)
	b.count("AddLowRank", 2*float64(x.Rows)*(size(down)+size(up)))
}

// ModulatedNorm is 7 for each element.
func (b *Backend) ModulatedNorm(dst, x, shift, scale tensor.Tensor, _ float32) {
	tensor.CheckNorm("ModulatedNorm", dst, x, shift, scale)
	write("ModulatedNorm", dst, []tensor.Tensor{x}, shift, scale)
	b.count("ModulatedNorm", normFLOPs*size(x))
}

// LayerNorm is 7 for each element.
func (b *Backend) LayerNorm(dst, x, gain, bias tensor.Tensor, _ float32) {
	tensor.CheckNorm("LayerNorm", dst, x, gain, bias)
	write("LayerNorm", dst, []tensor.Tensor{x}, gain, bias)
	b.count("LayerNorm", normFLOPs*size(x))
}

// RMSNorm is 4 for each element.
func (b *Backend) RMSNorm(dst, x, gain tensor.Tensor, _ float32) {
	tensor.CheckNorm("RMSNorm", dst, x, gain)
	write("RMSNorm", dst, []tensor.Tensor{x}, gain)
	b.count("RMSNorm", rmsFLOPs*size(x))
}

// QKNormRope is 4 for each element that is normalised and 3 for each that is
// rotated.
func (b *Backend) QKNormRope(x, gain, rope tensor.Tensor, heads int, _ float32) {
	tensor.CheckQKNormRope(x, gain, rope, heads)
	write("QKNormRope", x, nil, gain, rope)
	flops := 0.0
	if !gain.None() {
		flops += rmsFLOPs * size(x)
	}
	if !rope.None() {
		flops += rotateFLOPs * size(x)
	}
	b.count("QKNormRope", flops)
}

// Attention is 4·queries·keys·columns, a causal one too.
func (b *Backend) Attention(dst, q, k, v tensor.Tensor, s tensor.AttentionSpec) {
	tensor.CheckAttention(dst, q, k, v, s)
	write("Attention", dst, nil, q, k, v, s.RelBias)
	b.count("Attention", 4*size(q)*float64(k.Rows))
}

// AttentionStats is 2·queries·rows·columns, and with maps 2·queries·text·columns
// more: the logits of text keys are formed twice.
func (b *Backend) AttentionStats(stats, maps, q, k tensor.Tensor, s tensor.AttentionSpec) {
	tensor.CheckAttentionStats(stats, maps, q, k, s)
	write("AttentionStats", stats, nil, q, k)
	keys := k.Rows
	if !maps.None() {
		write("AttentionStats", maps, nil, q, k, stats)
		keys += maps.Cols
	}
	b.count("AttentionStats", 2*float64(stats.Cols)*float64(keys)*float64(q.Cols))
}

// GatedAdd is 2 for each element, 1 without a gate.
func (b *Backend) GatedAdd(x, y, gate tensor.Tensor) {
	tensor.CheckGatedAdd(x, y, gate)
	write("GatedAdd", x, nil, y, gate)
	flops := size(x)
	if !gate.None() {
		flops *= 2
	}
	b.count("GatedAdd", flops)
}

// Activate counts no FLOPs.
func (b *Backend) Activate(dst, x tensor.Tensor, _ tensor.Activation) {
	tensor.CheckSame("Activate", dst, x)
	write("Activate", dst, []tensor.Tensor{x})
	b.count("Activate", 0)
}

// Mul is 1 for each element.
func (b *Backend) Mul(dst, x, y tensor.Tensor) {
	tensor.CheckSame("Mul", dst, x, y)
	write("Mul", dst, []tensor.Tensor{x, y})
	b.count("Mul", size(x))
}

// Mix is 3 for each element.
func (b *Backend) Mix(dst tensor.Tensor, _ float32, x tensor.Tensor, _ float32, y tensor.Tensor) {
	tensor.CheckSame("Mix", dst, x, y)
	write("Mix", dst, []tensor.Tensor{x, y})
	b.count("Mix", 3*size(x))
}

// Gather counts no FLOPs.
func (b *Backend) Gather(dst, table tensor.Tensor, ids []int32) {
	tensor.CheckGather(dst, table, ids)
	write("Gather", dst, nil, table)
	b.count("Gather", 0)
}

// Conv3x3 is 18·pixels·in·out, the border included.
func (b *Backend) Conv3x3(dst, x, w, bias tensor.Tensor, g tensor.Grid) {
	tensor.CheckConv3x3(dst, x, w, bias, g)
	write("Conv3x3", dst, nil, x, w, bias)
	b.count("Conv3x3", 2*size(dst)*float64(w.Cols))
}

// GroupNorm is 7 for each element.
func (b *Backend) GroupNorm(dst, x, gain, bias tensor.Tensor, groups int, _ float32, _ tensor.Activation) {
	tensor.CheckGroupNorm(dst, x, gain, bias, groups)
	write("GroupNorm", dst, []tensor.Tensor{x}, gain, bias)
	b.count("GroupNorm", normFLOPs*size(x))
}

// Upsample2x counts no FLOPs.
func (b *Backend) Upsample2x(dst, x tensor.Tensor, g tensor.Grid) {
	tensor.CheckUpsample2x(dst, x, g)
	write("Upsample2x", dst, nil, x)
	b.count("Upsample2x", 0)
}

// Copy counts no FLOPs.
func (b *Backend) Copy(dst, src tensor.Tensor) {
	tensor.CheckCopy(dst, src)
	write("Copy", dst, nil, src)
	b.count("Copy", 0)
}

// Upload counts no FLOPs.
func (b *Backend) Upload(dst tensor.Tensor, src []float32) {
	tensor.CheckHost("Upload", dst, len(src))
	write("Upload", dst, nil)
	b.count("Upload", 0)
	b.host += len(src) * tensor.F32.Size()
}

// Download fills dst with zeros.
func (b *Backend) Download(dst []float32, src tensor.Tensor) {
	tensor.CheckHost("Download", src, len(dst))
	read("Download", src)
	clear(dst)
	b.count("Download", 0)
	b.host += len(dst) * tensor.F32.Size()
}
