package nn

import "taca/internal/tensor"

// Stream is one modality's half of a joint block (MMDiT, arXiv 2403.03206,
// figure 2b): it has weights of its own for everything but the attention
// itself, which the block does over the rows of both streams.
type Stream struct {
	vectors   Vectors
	attention Attention
	mlp       MLP
	branches  int
	attended  string // what the reference calls the attention's output
	thought   string // what it calls the MLP's
}

// StreamNames are the canonical names of a stream's parts, below its block.
type StreamNames struct {
	Modulation string
	Attention  AttentionNames // below "attn"
	MLP        string
	Observed   string // tells the streams apart where the reference returns both at once
}

// The names diffusers gives the two streams of a joint block.
var (
	VisualNames = StreamNames{"norm1.linear", OwnNames, "ff", "visual"}
	TextNames   = StreamNames{"norm1_context.linear", AddedNames, "ff_context", "text"}
)

// StreamShape is what a config says of a stream.
type StreamShape struct {
	Width, HeadSize int
	// Branches is 2 for attention and MLP, 3 where the block adds a branch of
	// its own, and 1 where the stream ends: it is attended to a last time and
	// its rows are not wanted afterwards.
	Branches int
	Normed   bool // queries and keys have a norm
}

// Bind binds the stream called n in the block that w is for, modulated by c.
func (s *Stream) Bind(w *Binder, c *Conditioner, n StreamNames, shape StreamShape) {
	s.branches = shape.Branches
	s.attended, s.thought = w.Path("attn."+n.Observed), w.Path(n.MLP)
	if !shape.Normed {
		n.Attention = n.Attention.Unnormed()
	}
	if s.ends() {
		n.Attention = n.Attention.Inward()
	} else {
		s.mlp.Bind(w, n.MLP, shape.Width)
	}
	s.attention.Bind(w.In("attn"), n.Attention, shape.Width, shape.HeadSize)
	s.vectors = c.Modulator(w, n.Modulation, s.vectorCount())
}

func (s *Stream) ends() bool { return s.branches == 1 }

// vectorCount is how many vectors modulate the stream: shift, scale and gate of
// each branch, but no gate where the stream ends.
func (s *Stream) vectorCount() int {
	if s.ends() {
		return 2
	}
	return 3 * s.branches
}

// Modulate finds the modulation of each branch in the row of all vectors.
func (s *Stream) Modulate(row tensor.Tensor) []Modulation {
	if s.ends() {
		return []Modulation{s.vectors.ModulateLast(row)}
	}
	return s.vectors.Modulate(row)
}

// Project writes the queries, keys and values of this stream, whose rows are
// at. The operands have one row per token of both streams, q perhaps of the last
// alone, whose queries are wanted; rope may be none.
func (s *Stream) Project(o tensor.Ops, at tensor.Span, q, k, v, x, rope tensor.Tensor, m []Modulation, heads int) {
	defer o.Release(o.Mark())
	q = q.In(at.From(x.Rows - q.Rows))
	k, v, x = k.In(at), v.In(at), x.In(at)
	if !rope.None() {
		rope = rope.In(at)
	}
	h := o.Scratch(x.Rows, x.Cols, x.DType)
	m[0].Norm(o, h, x)
	s.attention.Project(o, q, k, v, h, rope, heads)
}

// AddAttention adds what attention mixed to this stream's rows of x. mixed may
// lack the first rows, as queries may.
func (s *Stream) AddAttention(o tensor.Ops, at tensor.Span, x, mixed tensor.Tensor, m []Modulation) {
	defer o.Release(o.Mark())
	mixed = mixed.In(at.From(x.Rows - mixed.Rows))
	x = x.In(at)
	h := o.Scratch(x.Rows, x.Cols, x.DType)
	s.attention.Out.Apply(o, h, mixed, tensor.Identity)
	o.Observe(s.attended, h)
	o.GatedAdd(x, h, m[0].Gate)
}

// AddMLP adds what the MLP makes of this stream's rows of x to them.
func (s *Stream) AddMLP(o tensor.Ops, at tensor.Span, x tensor.Tensor, m []Modulation) {
	defer o.Release(o.Mark())
	x = x.In(at)
	h := o.Scratch(x.Rows, x.Cols, x.DType)
	m[1].Norm(o, h, x)
	s.mlp.Apply(o, h, h)
	o.Observe(s.thought, h)
	o.GatedAdd(x, h, m[1].Gate)
}
