package t5

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// block is an attention and a gated MLP, each normed before and added to what
// it read.
type block struct {
	weights      tensor.Group
	norm1, norm2 tensor.Tensor // gains
	attention    nn.Attention  // without biases
	gate, value  nn.Linear     // MLP width × width
	narrow       nn.Linear
	eps          float32
	format       tensor.DType // of what is multiplied with weights
	path         string
}

func (b *block) bind(w *nn.Binder, c Config) {
	b.weights, b.path, b.eps = w.Weights(), w.Path(""), c.Eps
	w.Vector(&b.norm1, "layer.0.layer_norm.weight", c.Width)
	attention := w.In("layer.0.SelfAttention")
	attention.LinearNoBias(&b.attention.Q, "q", c.inner(), c.Width)
	attention.LinearNoBias(&b.attention.K, "k", c.inner(), c.Width)
	attention.LinearNoBias(&b.attention.V, "v", c.inner(), c.Width)
	attention.LinearNoBias(&b.attention.Out, "o", c.Width, c.inner())
	w.Vector(&b.norm2, "layer.1.layer_norm.weight", c.Width)
	mlp := w.In("layer.1.DenseReluDense")
	mlp.LinearNoBias(&b.gate, "wi_0", c.MLPWidth, c.Width)
	mlp.LinearNoBias(&b.value, "wi_1", c.MLPWidth, c.Width)
	mlp.LinearNoBias(&b.narrow, "wo", c.Width, c.MLPWidth)
}

// forward updates x, F32, in place.
func (b *block) forward(o tensor.Ops, x tensor.Tensor, spec tensor.AttentionSpec) {
	defer o.Release(o.Mark())
	h := o.Scratch(x.Rows, x.Cols, b.format)
	branch := o.Scratch(x.Rows, x.Cols, tensor.F32)

	o.RMSNorm(h, x, b.norm1, b.eps)
	b.attend(o, branch, h, spec)
	o.Observe(b.path+".layer.0.SelfAttention", branch)
	o.GatedAdd(x, branch, tensor.Tensor{})

	o.RMSNorm(h, x, b.norm2, b.eps)
	b.think(o, branch, h)
	o.Observe(b.path+".layer.1.DenseReluDense", branch)
	o.GatedAdd(x, branch, tensor.Tensor{})
	o.Observe(b.path, x)
}

func (b *block) attend(o tensor.Ops, dst, h tensor.Tensor, spec tensor.AttentionSpec) {
	defer o.Release(o.Mark())
	inner := func() tensor.Tensor { return o.Scratch(h.Rows, b.attention.Q.W.Rows, b.format) }
	q, k, v, mixed := inner(), inner(), inner(), inner()
	b.attention.Q.Apply(o, q, h, tensor.Identity)
	b.attention.K.Apply(o, k, h, tensor.Identity)
	b.attention.V.Apply(o, v, h, tensor.Identity)
	o.Attention(mixed, q, k, v, spec)
	b.attention.Out.Apply(o, dst, mixed, tensor.Identity)
}

func (b *block) think(o tensor.Ops, dst, h tensor.Tensor) {
	defer o.Release(o.Mark())
	wide := o.Scratch(h.Rows, b.gate.W.Rows, b.format)
	value := o.Scratch(h.Rows, b.gate.W.Rows, b.format)
	b.gate.Apply(o, wide, h, tensor.GELUTanh)
	b.value.Apply(o, value, h, tensor.Identity)
	o.Mul(wide, wide, value)
	b.narrow.Apply(o, dst, wide, tensor.Identity)
}
