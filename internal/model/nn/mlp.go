package nn

import "taca/internal/tensor"

// MLP widens each row fourfold, applies tanh-GELU and narrows it again.
type MLP struct{ In, Out Linear }

// Bind binds the MLP called name, for streams of the given width.
func (m *MLP) Bind(w *Binder, name string, width int) {
	w = w.In(name)
	w.Linear(&m.In, "net.0.proj", 4*width, width)
	w.Linear(&m.Out, "net.2", width, 4*width)
}

// Apply is dst = the MLP of x, row by row. dst may be x.
func (m *MLP) Apply(o tensor.Ops, dst, x tensor.Tensor) {
	defer o.Release(o.Mark())
	wide := o.Scratch(x.Rows, 4*x.Cols, x.DType)
	m.In.Apply(o, wide, x, tensor.GELUTanh)
	m.Out.Apply(o, dst, wide, tensor.Identity)
}
