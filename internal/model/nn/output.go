package nn

import "taca/internal/tensor"

// Output is what comes after a transformer's blocks: one more modulated norm,
// and the velocity out of it.
type Output struct {
	Weights tensor.Group
	vectors Vectors
	project Linear // columns of a patch × d
}

// Bind binds the output of a transformer of the given width to patches of so
// many columns, modulated by c.
func (e *Output) Bind(w *Binder, c *Conditioner, width, columns int) {
	e.Weights = w.Weights()
	e.vectors = c.Modulator(w, "norm_out.linear", 2)
	w.Linear(&e.project, "proj_out", columns, width)
}

// Forward writes the velocity of the visual rows x, which it overwrites.
func (e *Output) Forward(o tensor.Ops, dst, x, vectors tensor.Tensor) {
	e.vectors.ModulateLast(vectors).Norm(o, x, x)
	o.Observe("norm_out", x)
	e.project.Apply(o, dst, x, tensor.Identity)
	o.Observe("proj_out", dst)
}
