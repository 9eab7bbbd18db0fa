package clip

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// layer is one pre-norm transformer layer.
type layer struct {
	weights      tensor.Group
	norm1, norm2 norm
	attention    nn.Attention
	widen        nn.Linear
	narrow       nn.Linear
	activation   tensor.Activation
	format       tensor.DType // of what is multiplied with weights
	path         string
}

var attentionNames = nn.AttentionNames{Q: "q_proj", K: "k_proj", V: "v_proj", Out: "out_proj"}

func (l *layer) bind(w *nn.Binder, c Config) {
	l.weights, l.path = w.Weights(), w.Path("")
	l.norm1.bind(w, "layer_norm1", c)
	l.attention.Bind(w.In("self_attn"), attentionNames, c.Width, c.Width/c.Heads)
	l.norm2.bind(w, "layer_norm2", c)
	w.Linear(&l.widen, "mlp.fc1", c.MLPWidth, c.Width)
	w.Linear(&l.narrow, "mlp.fc2", c.Width, c.MLPWidth)
	l.activation = c.Activation
}

// forward updates x, F32, in place.
func (l *layer) forward(o tensor.Ops, x tensor.Tensor, spec tensor.AttentionSpec) {
	defer o.Release(o.Mark())
	h := o.Scratch(x.Rows, x.Cols, l.format)
	branch := o.Scratch(x.Rows, x.Cols, tensor.F32)

	l.norm1.apply(o, h, x)
	l.attend(o, branch, h, spec)
	o.Observe(l.path+".self_attn", branch)
	o.GatedAdd(x, branch, tensor.Tensor{})

	l.norm2.apply(o, h, x)
	l.think(o, branch, h)
	o.Observe(l.path+".mlp", branch)
	o.GatedAdd(x, branch, tensor.Tensor{})
	o.Observe(l.path, x)
}

func (l *layer) attend(o tensor.Ops, dst, h tensor.Tensor, spec tensor.AttentionSpec) {
	defer o.Release(o.Mark())
	like := func() tensor.Tensor { return o.Scratch(h.Rows, h.Cols, l.format) }
	q, k, v, mixed := like(), like(), like(), like()
	l.attention.Q.Apply(o, q, h, tensor.Identity)
	l.attention.K.Apply(o, k, h, tensor.Identity)
	l.attention.V.Apply(o, v, h, tensor.Identity)
	o.Attention(mixed, q, k, v, spec)
	l.attention.Out.Apply(o, dst, mixed, tensor.Identity)
}

func (l *layer) think(o tensor.Ops, dst, h tensor.Tensor) {
	defer o.Release(o.Mark())
	wide := o.Scratch(h.Rows, l.widen.W.Rows, l.format)
	l.widen.Apply(o, wide, h, l.activation)
	l.narrow.Apply(o, dst, wide, tensor.Identity)
}

// norm is a layer norm's weights.
type norm struct {
	gain, bias tensor.Tensor
	eps        float32
}

func (n *norm) bind(w *nn.Binder, name string, c Config) {
	w.Vector(&n.gain, name+".weight", c.Width)
	w.Vector(&n.bias, name+".bias", c.Width)
	n.eps = c.Eps
}

func (n *norm) apply(o tensor.Ops, dst, x tensor.Tensor) {
	o.LayerNorm(dst, x, n.gain, n.bias, n.eps)
}
