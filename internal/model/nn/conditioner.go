package nn

import "taca/internal/tensor"

// sinusoidWidth is the width of timestep embeddings, which the reference fixes.
const sinusoidWidth = 256

// Conditioner makes the one row that modulates every block: the timestep, the
// guidance where the model embeds it, and the prompt as a whole, each through
// a small MLP of its own, added up.
type Conditioner struct {
	time, guidance, pooled [2]Linear
	guided                 bool
	width                  int
	name                   string
}

// Bind binds a conditioner for blocks of the given width and prompts of
// pooled values; guided says whether guidance is embedded.
func (c *Conditioner) Bind(w *Binder, width, pooled int, guided bool) {
	c.guided, c.width, c.name = guided, width, w.Path("")
	bind := func(l *[2]Linear, name string, in int) {
		w.Linear(&l[0], name+".linear_1", width, in)
		w.Linear(&l[1], name+".linear_2", width, width)
	}
	bind(&c.time, "timestep_embedder", sinusoidWidth)
	if guided {
		bind(&c.guidance, "guidance_embedder", sinusoidWidth)
	}
	bind(&c.pooled, "text_embedder", pooled)
}

// Apply is the conditioning through SiLU, which is how all blocks want it:
// 1 × width in scratch memory. It is F32 whatever the format of activations,
// for it is small and everything hangs on it. time and guidance are in
// thousandths.
func (c *Conditioner) Apply(o tensor.Ops, time, guidance float32, pooled tensor.Tensor) tensor.Tensor {
	cond := o.Scratch(1, c.width, tensor.F32)
	defer o.Release(o.Mark())
	part := o.Scratch(1, c.width, tensor.F32)
	apply(o, cond, c.embed(o, time), &c.time)
	if c.guided {
		apply(o, part, c.embed(o, guidance), &c.guidance)
		o.GatedAdd(cond, part, tensor.Tensor{})
	}
	apply(o, part, pooled, &c.pooled)
	o.GatedAdd(cond, part, tensor.Tensor{})
	o.Observe(c.name, cond)
	o.Activate(cond, cond, tensor.SiLU)
	return cond
}

// embed is the sinusoid of t, in scratch memory.
func (c *Conditioner) embed(o tensor.Ops, t float32) tensor.Tensor {
	row := o.Scratch(1, sinusoidWidth, tensor.F32)
	o.Upload(row, Sinusoid(t, sinusoidWidth))
	return row
}

// apply is dst = l₁(silu(l₀(x))).
func apply(o tensor.Ops, dst, x tensor.Tensor, l *[2]Linear) {
	defer o.Release(o.Mark())
	h := o.Scratch(1, dst.Cols, tensor.F32)
	l[0].Apply(o, h, x, tensor.SiLU)
	l[1].Apply(o, dst, h, tensor.Identity)
}
