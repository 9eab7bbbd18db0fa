package vae

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// eps is what group norms add to a variance, as the reference fixes it.
const eps = 1e-6

// conv is a 3×3 convolution.
type conv struct{ w, bias tensor.Tensor }

func (c *conv) bind(w *nn.Binder, name string, out, in int) {
	w.Conv3x3(&c.w, &c.bias, name, out, in)
}

func (c *conv) apply(o tensor.Ops, dst, x tensor.Tensor, grid tensor.Grid) {
	o.Conv3x3(dst, x, c.w, c.bias, grid)
}

// mix is a 1×1 convolution: a matrix between the channels of a pixel.
type mix struct{ w, bias tensor.Tensor }

func (m *mix) bind(w *nn.Binder, name string, out, in int) {
	w.Shaped(&m.w, name+".weight", []int{out, in, 1, 1}, out, in, nil)
	w.Vector(&m.bias, name+".bias", out)
}

func (m *mix) apply(o tensor.Ops, dst, x tensor.Tensor) {
	o.Linear(dst, x, m.w, m.bias, tensor.Identity)
}

// norm is a group norm's weights.
type norm struct {
	gain, bias tensor.Tensor
	groups     int
}

func (n *norm) bind(w *nn.Binder, name string, width, groups int) {
	w.Vector(&n.gain, name+".weight", width)
	w.Vector(&n.bias, name+".bias", width)
	n.groups = groups
}

func (n *norm) apply(o tensor.Ops, dst, x tensor.Tensor, act tensor.Activation) {
	o.GroupNorm(dst, x, n.gain, n.bias, n.groups, eps, act)
}
