package sd3

import (
	"slices"

	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// block lets text and visual tokens attend to each other while each stream
// keeps its own weights.
type block struct {
	text, visual nn.Stream
	second       *second // or nil
	last         bool    // the text stream ends here: its tokens ask nothing
	path         string
}

// second is the second attention of a dual block, among visual tokens only.
type second struct {
	attention nn.Attention
	path      string
}

func (b *block) bind(w *nn.Binder, conditioner *nn.Conditioner, c Config, i int) {
	b.path = w.Path("")
	b.last = i == c.Blocks-1
	text, visual := c.stream(), c.stream()
	if b.last {
		text.Branches = 1
	}
	if slices.Contains(c.DualBlocks, i) {
		visual.Branches = 3
		b.second = &second{}
		b.second.bind(w.In("attn2"), visual)
	}
	b.visual.Bind(w, conditioner, nn.VisualNames, visual)
	b.text.Bind(w, conditioner, nn.TextNames, text)
}

func (s *second) bind(w *nn.Binder, shape nn.StreamShape) {
	names := nn.OwnNames
	if !shape.Normed {
		names = names.Unnormed()
	}
	s.attention.Bind(w, names, shape.Width, shape.HeadSize)
	s.path = w.Path("")
}

// forward updates x, the rows of all tokens, in place; vectors is the
// row that modulates all blocks.
func (b *block) forward(o tensor.Ops, x, vectors tensor.Tensor, spec tensor.AttentionSpec, witness nn.Witness) {
	defer o.Release(o.Mark())
	asking := x
	if b.last {
		asking = x.In(spec.Visual)
	}
	q, k, v, mixed := like(o, asking), like(o, x), like(o, x), like(o, asking)
	var none tensor.Tensor

	text, visual := b.text.Modulate(vectors), b.visual.Modulate(vectors)
	b.text.Project(o, spec.Text, q, k, v, x, none, text, spec.Heads)
	b.visual.Project(o, spec.Visual, q, k, v, x, none, visual, spec.Heads)
	o.Attention(mixed, q, k, v, spec)
	witness.See(o, q, k, spec)

	if b.second == nil {
		b.visual.AddAttention(o, spec.Visual, x, mixed, visual)
	} else {
		// Both attentions read the same x.
		seen := x.In(spec.Visual)
		apart := b.second.forward(o, seen, visual[2], spec)
		b.visual.AddAttention(o, spec.Visual, x, mixed, visual)
		o.Observe(b.second.path, apart)
		o.GatedAdd(seen, apart, visual[2].Gate)
	}
	b.visual.AddMLP(o, spec.Visual, x, visual)
	o.Observe(b.path+".visual", x.In(spec.Visual))

	if !b.last {
		b.text.AddAttention(o, spec.Text, x, mixed, text)
		b.text.AddMLP(o, spec.Text, x, text)
		o.Observe(b.path+".text", x.In(spec.Text))
	}
}

// forward is what attention among the visual rows x makes of them, in scratch
// memory.
func (s *second) forward(o tensor.Ops, x tensor.Tensor, m nn.Modulation, joint tensor.AttentionSpec) tensor.Tensor {
	out := like(o, x)
	defer o.Release(o.Mark())
	h, q, k, v := like(o, x), like(o, x), like(o, x), like(o, x)
	m.Norm(o, h, x)
	s.attention.Project(o, q, k, v, h, tensor.Tensor{}, joint.Heads)
	o.Attention(h, q, k, v, alone(joint, x.Rows))
	s.attention.Out.Apply(o, out, h, tensor.Identity)
	return out
}

// like is scratch memory of x's shape and format.
func like(o tensor.Ops, x tensor.Tensor) tensor.Tensor { return o.Scratch(x.Rows, x.Cols, x.DType) }
