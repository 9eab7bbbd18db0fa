package flux

import (
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// doubleBlock lets text and visual tokens attend to each other while each
// stream keeps its own weights.
type doubleBlock struct {
	text, visual nn.Stream
	path         string
}

func (b *doubleBlock) bind(w *nn.Binder, conditioner *nn.Conditioner, c Config) {
	shape := nn.StreamShape{Width: c.Width(), HeadSize: c.HeadSize, Branches: 2, Normed: true}
	b.visual.Bind(w, conditioner, nn.VisualNames, shape)
	b.text.Bind(w, conditioner, nn.TextNames, shape)
	b.path = w.Path("")
}

func (b *doubleBlock) forward(o tensor.Ops, x, vectors, rope tensor.Tensor, spec tensor.AttentionSpec, witness nn.Witness) {
	defer o.Release(o.Mark())
	q, k, v, mixed := like(o, x), like(o, x), like(o, x), like(o, x)

	text, visual := b.text.Modulate(vectors), b.visual.Modulate(vectors)
	b.text.Project(o, spec.Text, q, k, v, x, rope, text, spec.Heads)
	b.visual.Project(o, spec.Visual, q, k, v, x, rope, visual, spec.Heads)

	o.Attention(mixed, q, k, v, spec)
	witness.See(o, q, k, spec)

	b.visual.AddAttention(o, spec.Visual, x, mixed, visual)
	b.text.AddAttention(o, spec.Text, x, mixed, text)
	b.visual.AddMLP(o, spec.Visual, x, visual)
	b.text.AddMLP(o, spec.Text, x, text)
	o.Observe(b.path+".visual", x.In(spec.Visual))
	o.Observe(b.path+".text", x.In(spec.Text))
}

// like is scratch memory of x's shape and format.
func like(o tensor.Ops, x tensor.Tensor) tensor.Tensor { return o.Scratch(x.Rows, x.Cols, x.DType) }
