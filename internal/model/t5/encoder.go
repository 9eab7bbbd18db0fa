package t5

import (
	"context"
	"fmt"
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// Encoder is a T5 encoder with its weights.
type Encoder struct {
	config  Config
	backend tensor.Backend
	binder  *nn.Binder

	first  embeddings
	blocks []block
	last   output
}

// embeddings are what comes before the blocks.
type embeddings struct {
	weights tensor.Group
	tokens  tensor.Tensor // vocabulary × width
	bias    tensor.Tensor // buckets × heads
}

// output is what comes after the blocks.
type output struct {
	weights tensor.Group
	gain    tensor.Tensor
}

// shared and alias are two names of one table; files hold either or both.
const (
	shared = "shared.weight"
	alias  = "encoder.embed_tokens.weight"
)

// bias is the table of position biases. The file has it in the first block;
// it serves all of them.
const bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"

// Open binds an encoder's weights on backend b, for activations in format d
// (F32 or BF16). A nil source binds shapes alone, for a dry backend. A decoder
// in the file is ignored. The error lists every tensor that is missing, unused
// or of another shape than c says.
func Open(c Config, source checkpoint.Source, b tensor.Backend, d tensor.DType) (*Encoder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := nn.NewBinder(source, b)
	e := &Encoder{config: c, backend: b, binder: w, blocks: make([]block, c.Blocks)}
	e.first.bind(w, c)
	for i := range e.blocks {
		e.blocks[i].format = d
		e.blocks[i].bind(w.Group(fmt.Sprintf("encoder.block.%d", i)), c)
	}
	last := w.Group("encoder")
	e.last.weights = last.Weights()
	last.Vector(&e.last.gain, "final_layer_norm.weight", c.Width)
	if err := w.Close(foreign); err != nil {
		e.Drop()
		return nil, fmt.Errorf("t5 text encoder: %w", err)
	}
	return e, nil
}

func (e *embeddings) bind(w *nn.Binder, c Config) {
	e.weights = w.Weights()
	table := shared
	if !w.Has(shared) && w.Has(alias) {
		table = alias
	}
	w.Matrix(&e.tokens, table, c.Vocabulary, c.Width)
	w.Matrix(&e.bias, bias+".weight", c.Buckets, c.Heads)
}

// foreign reports whether a tensor is a spare name of the embeddings or
// belongs to the decoder of a whole T5.
func foreign(name string) bool {
	switch name {
	case shared, alias, "lm_head.weight":
		return true
	}
	return strings.HasPrefix(name, "decoder.")
}

// Layers is every linear layer by canonical path, where a LoRA may attach.
func (e *Encoder) Layers() map[string]*nn.Linear { return e.binder.Layers() }

// Drop gives back the weights; the encoder is dead afterwards.
func (e *Encoder) Drop() { e.binder.Drop() }

// Encode reads the token ids of one prompt, padding included, which is
// attended to like any other token. It returns one row per token, F32, in
// scratch memory; or ctx's error when cancelled between blocks, or the
// device's.
func (e *Encoder) Encode(ctx context.Context, ids []int32) (tensor.Tensor, error) {
	if err := nn.CheckIDs(ids, e.config.Vocabulary, 0); err != nil {
		return tensor.Tensor{}, fmt.Errorf("t5 text encoder: %w", err)
	}
	o := e.backend
	x := o.Scratch(len(ids), e.config.Width, tensor.F32)
	defer o.Release(o.Mark())

	e.first.weights.Need(e.weights(0))
	o.Gather(x, e.first.tokens, ids)
	o.Observe("encoder.embed_tokens", x)
	spec := e.attention(len(ids))
	for i := range e.blocks {
		if err := ctx.Err(); err != nil {
			return tensor.Tensor{}, err
		}
		e.blocks[i].weights.Need(e.weights(i + 1))
		e.blocks[i].forward(o, x, spec)
	}
	e.last.weights.Need(nil)
	o.RMSNorm(x, x, e.last.gain, e.config.Eps)
	o.Observe("encoder.final_layer_norm", x)
	return x, o.Err()
}

// attention says how all blocks attend, with the bias of each offset between
// n tokens in scratch memory. T5 does not divide logits by √size: its weights
// are trained without.
func (e *Encoder) attention(n int) tensor.AttentionSpec {
	c := e.config
	table := e.backend.Scratch(2*n-1, c.Heads, tensor.F32)
	e.backend.Gather(table, e.first.bias, c.buckets(n))
	e.backend.Observe(bias, table)
	return tensor.AttentionSpec{Heads: c.Heads, Scale: 1, Gamma: 1, RelBias: table}
}

// weights is the home of block i, or of what comes after the last block.
func (e *Encoder) weights(i int) tensor.Group {
	if i < len(e.blocks) {
		return e.blocks[i].weights
	}
	return e.last.weights
}
