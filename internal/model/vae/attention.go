package vae

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// attention has one head of all channels.
type attention struct {
	norm    norm
	weights nn.Attention
	path    string
}

func (a *attention) bind(w *nn.Binder, width, groups int) {
	a.path = w.Path("")
	a.norm.bind(w, "group_norm", width, groups)
	a.weights.Bind(w, nn.OwnNames.Unnormed(), width, width)
}

func (a *attention) forward(o tensor.Ops, c *canvas) {
	defer o.Release(o.Mark())
	x, h, mixed := c.x(), cut(c.work, c.grid, c.width), cut(c.side, c.grid, c.width)
	like := func() tensor.Tensor { return o.Scratch(x.Rows, x.Cols, x.DType) }
	q, k, v := like(), like(), like()
	a.norm.apply(o, h, x, tensor.Identity)
	a.weights.Q.Apply(o, q, h, tensor.Identity)
	a.weights.K.Apply(o, k, h, tensor.Identity)
	a.weights.V.Apply(o, v, h, tensor.Identity)
	o.Attention(mixed, q, k, v, tensor.AttentionSpec{Heads: 1, Scale: nn.AttentionScale(x.Cols), Gamma: 1})
	a.weights.Out.Apply(o, h, mixed, tensor.Identity)
	o.GatedAdd(x, h, tensor.Tensor{})
	o.Observe(a.path, x)
}
