package flux

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// singleBlock treats text and visual tokens alike, and does its attention and
// its MLP side by side: one matrix narrows the results of both.
type singleBlock struct {
	vectors   nn.Vectors
	attention nn.Attention
	mlp       nn.Linear // 4·d × d
	out       nn.Linear // d × 5·d: attention's columns, then the MLP's
	last      bool      // nobody reads what becomes of the text: its tokens ask nothing
	path      string
}

func (b *singleBlock) bind(w *nn.Binder, conditioner *nn.Conditioner, c Config) {
	d := c.Width()
	b.vectors = conditioner.Modulator(w, "norm.linear", 3)
	b.attention.Bind(w.In("attn"), nn.OwnNames.Inward(), d, c.HeadSize)
	w.Linear(&b.mlp, "proj_mlp", 4*d, d)
	w.Linear(&b.out, "proj_out", d, 5*d)
	b.path = w.Path("")
}

func (b *singleBlock) forward(o tensor.Ops, x, vectors, rope tensor.Tensor, spec tensor.AttentionSpec, witness nn.Witness) {
	defer o.Release(o.Mark())
	d, asking := x.Cols, tensor.Span{Hi: x.Rows}
	if b.last {
		asking = spec.Visual
	}
	h, k, v := like(o, x), like(o, x), like(o, x)
	q, both := like(o, x.In(asking)), o.Scratch(asking.Len(), 5*d, x.DType)
	attended, thought := both.ColRange(0, d), both.ColRange(d, 5*d)

	m := b.vectors.Modulate(vectors)[0]
	m.Norm(o, h, x)
	b.attention.Project(o, q, k, v, h, rope, spec.Heads)
	o.Attention(attended, q, k, v, spec)
	witness.See(o, q, k, spec)
	o.Observe(b.path+".attn", attended)

	x, h = x.In(asking), h.In(asking)
	b.mlp.Apply(o, thought, h, tensor.GELUTanh)
	o.Observe(b.path+".act_mlp", thought)

	b.out.Apply(o, h, both, tensor.Identity)
	o.GatedAdd(x, h, m.Gate)
	o.Observe(b.path, x)
}
