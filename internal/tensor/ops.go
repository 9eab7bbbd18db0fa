package tensor

// Ops is the instruction set of a transformer and its VAE. Destinations come
// first. Activations are F32 or BF16, freely mixed; sums, norms and softmax
// are F32 always. Weights and vectors (gain, bias, gate, shift, scale) may
// have any DType. A destination aliases no operand unless the verb says so.
// Wrong shapes panic: they are bugs in a model. Device failures are sticky:
// later verbs do nothing and Err returns the first one.
type Ops interface {
	// Scratch is uninitialised memory that lives until Release returns the
	// arena to an earlier Mark. Its rows may lie further apart than they are wide.
	Scratch(rows, cols int, d DType) Tensor
	// Mark is the arena's present height, to be given to Release.
	Mark() Mark
	// Release frees all scratch taken since m.
	Release(m Mark)

	// Linear is dst = act(x·wᵀ + bias); x is n × in, w is out × in, bias is
	// 1 × out or none, dst is n × out. Where w is rotated a backend may round
	// every row of x, rotated as w is, to int8 and a scale.
	Linear(dst, x, w, bias Tensor, act Activation)
	// AddLowRank is dst += scale · (x·downᵀ)·upᵀ; down is r × in, up is out × r.
	AddLowRank(dst, x, down, up Tensor, scale float32)
	// ModulatedNorm is dst = (1+scale)·norm(x) + shift with the row's mean and
	// variance; shift and scale are 1 × cols. dst may be x.
	ModulatedNorm(dst, x, shift, scale Tensor, eps float32)
	// LayerNorm is dst = gain·norm(x) + bias. dst may be x.
	LayerNorm(dst, x, gain, bias Tensor, eps float32)
	// RMSNorm is dst = gain·x/sqrt(mean(x²)+eps). dst may be x.
	RMSNorm(dst, x, gain Tensor, eps float32)
	// QKNormRope works in place on every head of x: RMS norm over the head
	// with gain (1 × cols/heads), then rotation of neighbouring pairs by rope
	// (rows × cols/heads, F32, holding cos, sin of each pair). A gain or rope
	// of none is skipped.
	QKNormRope(x, gain, rope Tensor, heads int, eps float32)
	// Attention mixes the rows of v by the softmax of spec's logits. Heads are
	// column ranges; q, k, v and dst are rows × heads·size and may be strided.
	// Where spec has neither a causal mask nor a bias, q and dst may have fewer
	// rows than k and v: those of the last tokens.
	Attention(dst, q, k, v Tensor, spec AttentionSpec)
	// AttentionStats is how the visual queries of the same attention spend their
	// probability; no values are mixed, and q·kᵀ is formed tile by tile. stats is
	// 2·heads × visual queries, F32: in row h what head h spends on all text keys,
	// 0..1; in row heads + h the entropy of all it spends, in nats. maps is visual
	// queries × text keys, F32: the probability of each key, averaged over the
	// heads; or none. spec has neither a causal mask nor a bias. q may lack rows
	// as that of Attention may, but none that is visual.
	AttentionStats(stats, maps, q, k Tensor, spec AttentionSpec)
	// GatedAdd is x += gate·y; gate is 1 × cols, or none for a plain sum.
	GatedAdd(x, y, gate Tensor)
	// Activate is dst = act(x). dst may be x.
	Activate(dst, x Tensor, act Activation)
	// Mul is dst = x·y, element by element. dst may be x or y.
	Mul(dst, x, y Tensor)
	// Mix is dst = a·x + b·y: Euler steps and guidance. dst may be x or y.
	Mix(dst Tensor, a float32, x Tensor, b float32, y Tensor)
	// Gather copies row ids[i] of table to row i of dst: token embeddings. It
	// makes numbers of quantised rows, but not of rotated ones.
	Gather(dst, table Tensor, ids []int32)
	// Conv3x3 is a 3×3 convolution with a zero border; x is pixels × in, dst
	// is pixels × out, w is out × 9·in with columns ordered (ky, kx, in). A
	// 1×1 convolution is Linear.
	Conv3x3(dst, x, w, bias Tensor, grid Grid)
	// GroupNorm is dst = act(gain·norm(x) + bias), with mean and variance over
	// all pixels and the channels of one group. dst may be x.
	GroupNorm(dst, x, gain, bias Tensor, groups int, eps float32, act Activation)
	// Upsample2x repeats every pixel of x (of size grid) two by two.
	Upsample2x(dst, x Tensor, grid Grid)
	// Copy is dst = src, converting the format; of quantised weights it makes
	// the numbers they stand for.
	Copy(dst, src Tensor)

	// Upload fills dst, row by row without gaps, from host memory.
	Upload(dst Tensor, src []float32)
	// Download fills host memory, row by row without gaps, from src. It waits
	// for everything before it.
	Download(dst []float32, src Tensor)

	// Observe tells a watcher what the reference calls this matrix. Backends
	// ignore it.
	Observe(name string, t Tensor)
	// Err is the first failure of the device since the backend was opened.
	Err() error
}

// Mark is a height of the scratch arena.
type Mark int

// Activation is an element-wise function a verb may end with.
type Activation uint8

// The activations of the models' MLPs.
const (
	Identity  Activation = iota
	SiLU                 // x·sigmoid(x)
	GELUTanh             // x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))
	GELU                 // x/2·(1 + erf(x/√2))
	QuickGELU            // x·sigmoid(1.702·x)
)

// String is the activation's name in configuration files.
func (a Activation) String() string {
	return [...]string{"identity", "silu", "gelu_tanh", "gelu", "quick_gelu"}[a]
}
