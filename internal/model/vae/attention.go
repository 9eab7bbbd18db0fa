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

// attentionSheets is how many matrices of the picture's size forward needs
// beside it.
const attentionSheets = 4

func (a *attention) forward(o tensor.Ops, c *canvas) {
	x, size := c.x(), c.grid.Rows()*c.width
	h, q, k, v := c.spare(0, c.width), c.spare(size, c.width), c.spare(2*size, c.width), c.spare(3*size, c.width)
	a.norm.apply(o, h, x, tensor.Identity)
	a.weights.Q.Apply(o, q, h, tensor.Identity)
	a.weights.K.Apply(o, k, h, tensor.Identity)
	a.weights.V.Apply(o, v, h, tensor.Identity)
	mixed, found := h, q // neither is needed any more
	o.Attention(mixed, q, k, v, tensor.AttentionSpec{Heads: 1, Scale: nn.AttentionScale(x.Cols), Gamma: 1})
	a.weights.Out.Apply(o, found, mixed, tensor.Identity)
	o.GatedAdd(x, found, tensor.Tensor{})
	o.Observe(a.path, x)
}
