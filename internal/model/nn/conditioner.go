package nn

import (
	"context"

	"taca/internal/tensor"
)

// sinusoidWidth is the width of timestep embeddings, which the reference fixes.
const sinusoidWidth = 256

// Conditioner makes the vectors that modulate every block. The timestep, the
// guidance where the model embeds it, and the prompt as a whole pass through a
// small MLP each and are added up; a layer for each stream of each block turns
// the sum, through SiLU, into that stream's vectors.
//
// These layers are a quarter of a model's weights. They depend on no latents,
// so they are read for several steps at once, and in no step.
type Conditioner struct {
	time, guidance, pooled [2]Linear
	guided                 bool
	width                  int
	name                   string
	weights                tensor.Group
	layers                 []modulator
	columns                int // of a row: the sum, then the vectors of all layers
}

// modulator is a layer with weights in a group of their own.
type modulator struct {
	*Linear
	Vectors
	weights tensor.Group
}

// Moment is what the vectors depend on. Time and guidance are in thousandths.
type Moment struct {
	Time, Guidance float32
	Pooled         tensor.Tensor
}

// Bind binds a conditioner for blocks of the given width and prompts of
// pooled values; guided says whether guidance is embedded.
func (c *Conditioner) Bind(w *Binder, width, pooled int, guided bool) {
	w = w.Group("")
	c.weights = w.Weights()
	c.weights.Seldom()
	c.guided, c.width, c.columns, c.name = guided, width, width, w.Path("")
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

// Modulator binds the layer called name, which makes so many vectors, and says
// where they will be.
func (c *Conditioner) Modulator(w *Binder, name string, vectors int) Vectors {
	w = w.Group("")
	w.Weights().Seldom()
	m := modulator{&Linear{}, Vectors{c.columns, vectors, c.width}, w.Weights()}
	w.Linear(m.Linear, name, vectors*c.width, c.width)
	c.layers = append(c.layers, m)
	c.columns += vectors * c.width
	return m.Vectors
}

// together is how many rows are multiplied at once: as many as every backend
// multiplies while it reads the weights once, row by row, so that the bits of a
// moment do not depend on which moments it is computed with.
const together = 4

// fill writes a row of vectors for each moment. They are F32 whatever the
// format of activations, for they are small and everything hangs on them.
func (c *Conditioner) fill(ctx context.Context, o tensor.Ops, table tensor.Tensor, moments []Moment, next tensor.Group) error {
	defer o.Release(o.Mark())
	sum, through := table.ColRange(0, c.width), o.Scratch(table.Rows, c.width, tensor.F32)
	c.weights.Need(c.group(0, next))
	for i, m := range moments {
		c.add(o, sum.RowRange(i, i+1), m)
	}
	o.Activate(through, sum, tensor.SiLU)
	for i, l := range c.layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		l.weights.Need(c.group(i+1, next))
		for lo := 0; lo < table.Rows; lo += together {
			hi := min(lo+together, table.Rows)
			l.Apply(o, l.columns(table.RowRange(lo, hi)), through.RowRange(lo, hi), tensor.Identity)
		}
	}
	return o.Err()
}

// group is the home of layer i, or next after the last.
func (c *Conditioner) group(i int, next tensor.Group) tensor.Group {
	if i < len(c.layers) {
		return c.layers[i].weights
	}
	return next
}

// add writes the sum of what m says, 1 × width.
func (c *Conditioner) add(o tensor.Ops, sum tensor.Tensor, m Moment) {
	defer o.Release(o.Mark())
	part := o.Scratch(1, c.width, tensor.F32)
	apply(o, sum, c.embed(o, m.Time), &c.time)
	if c.guided {
		apply(o, part, c.embed(o, m.Guidance), &c.guidance)
		o.GatedAdd(sum, part, tensor.Tensor{})
	}
	apply(o, part, m.Pooled, &c.pooled)
	o.GatedAdd(sum, part, tensor.Tensor{})
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

// Observe tells a watcher the sum in a row of vectors, before SiLU.
func (c *Conditioner) Observe(o tensor.Ops, row tensor.Tensor) {
	o.Observe(c.name, row.ColRange(0, c.width))
}
