package clip

import (
	"context"
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// Encoder is a CLIP text model with its weights.
type Encoder struct {
	config  Config
	backend tensor.Backend
	binder  *nn.Binder

	first  embeddings
	layers []layer
	last   output
}

// Output is what an encoder says of a prompt, F32, in scratch memory.
type Output struct {
	// Penultimate is one row per token: what goes into the last layer, with no
	// norm (hidden_states[-2]). Stable Diffusion 3 takes it.
	Penultimate tensor.Tensor
	// Last is one row per token: what leaves the last layer, through the final
	// norm.
	Last tensor.Tensor
	// Pooled is the row of Last at the end of the prompt. FLUX takes it.
	Pooled tensor.Tensor
	// Projected is Pooled · projectionᵀ, 1 × ProjectionWidth; none where the
	// model has no projection. Stable Diffusion 3 takes it.
	Projected tensor.Tensor
}

// embeddings are what comes before the layers.
type embeddings struct {
	weights          tensor.Group
	tokens, position tensor.Tensor // vocabulary × width, positions × width
}

// output is what comes after the layers.
type output struct {
	weights    tensor.Group
	norm       norm
	projection nn.Linear // projection width × width, or none
}

// Open binds an encoder's weights on backend b, for activations in format d
// (F32 or BF16). A nil source binds shapes alone, for a dry backend. Names may
// lack the prefix "text_model.". The error lists every tensor that is missing,
// unused or of another shape than c says.
func Open(c Config, source checkpoint.Source, b tensor.Backend, d tensor.DType) (*Encoder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := nn.NewBinder(canonical(source), b)
	e := &Encoder{config: c, backend: b, binder: w, layers: make([]layer, c.Layers)}
	e.first.bind(w, c)
	for i := range e.layers {
		e.layers[i].format = d
		e.layers[i].bind(w.Group(fmt.Sprintf("%sencoder.layers.%d", prefix, i)), c)
	}
	e.last.bind(w.Group(""), c, source == nil)
	if err := w.Close(foreign); err != nil {
		e.Drop()
		return nil, fmt.Errorf("clip text encoder: %w", err)
	}
	return e, nil
}

func (e *embeddings) bind(w *nn.Binder, c Config) {
	e.weights = w.Weights()
	w = w.In(prefix + "embeddings")
	w.Matrix(&e.tokens, "token_embedding.weight", c.Vocabulary, c.Width)
	w.Matrix(&e.position, "position_embedding.weight", c.Positions, c.Width)
}

// bind binds the projection where the config or the checkpoint has one.
// Without a checkpoint, a config that does not say counts as having one.
func (e *output) bind(w *nn.Binder, c Config, dry bool) {
	e.weights = w.Weights()
	e.norm.bind(w, prefix+"final_layer_norm", c)
	has := w.Has("text_projection.weight")
	if dry {
		has = c.Projection == ProjectionUnsaid
	}
	if has || c.Projection == ProjectionNeeded {
		w.LinearNoBias(&e.projection, "text_projection", c.ProjectionWidth, c.Width)
	}
}

// Layers is every linear layer by canonical path, where a LoRA may attach.
func (e *Encoder) Layers() map[string]*nn.Linear { return e.binder.Layers() }

// Drop gives back the weights; the encoder is dead afterwards.
func (e *Encoder) Drop() { e.binder.Drop() }

// Encode reads the token ids of one prompt, padding included. It returns
// ctx's error when cancelled between layers, and the device's.
func (e *Encoder) Encode(ctx context.Context, ids []int32) (Output, error) {
	if err := nn.CheckIDs(ids, e.config.Vocabulary, e.config.Positions); err != nil {
		return Output{}, fmt.Errorf("clip text encoder: %w", err)
	}
	o, width := e.backend, e.config.Width
	out := Output{
		Penultimate: o.Scratch(len(ids), width, tensor.F32),
		Last:        o.Scratch(len(ids), width, tensor.F32),
	}
	end := e.config.end(ids)
	out.Pooled = out.Last.RowRange(end, end+1)

	x := out.Last
	e.first.weights.Need(e.weights(0))
	e.first.forward(o, x, ids)
	for i := range e.layers {
		if err := ctx.Err(); err != nil {
			return Output{}, err
		}
		e.layers[i].weights.Need(e.weights(i + 1))
		if i == len(e.layers)-1 {
			o.Copy(out.Penultimate, x)
		}
		e.layers[i].forward(o, x, e.attention())
	}
	e.last.weights.Need(nil)
	e.last.forward(o, x)
	if !e.last.projection.W.None() {
		out.Projected = o.Scratch(1, e.config.ProjectionWidth, tensor.F32)
		e.last.projection.Apply(o, out.Projected, out.Pooled, tensor.Identity)
		o.Observe("text_projection", out.Projected)
	}
	return out, o.Err()
}

// attention says how all layers attend: each token to itself and those before.
func (e *Encoder) attention() tensor.AttentionSpec {
	heads := e.config.Heads
	return tensor.AttentionSpec{Heads: heads, Scale: nn.AttentionScale(e.config.Width / heads), Gamma: 1, Causal: true}
}

// weights is the home of layer i, or of what comes after the last layer.
func (e *Encoder) weights(i int) tensor.Group {
	if i < len(e.layers) {
		return e.layers[i].weights
	}
	return e.last.weights
}

// forward writes the rows of ids, each a token and its position.
func (e *embeddings) forward(o tensor.Ops, x tensor.Tensor, ids []int32) {
	defer o.Release(o.Mark())
	places := make([]int32, len(ids))
	for i := range places {
		places[i] = int32(i)
	}
	position := o.Scratch(x.Rows, x.Cols, tensor.F32)
	o.Gather(x, e.tokens, ids)
	o.Gather(position, e.position, places)
	o.GatedAdd(x, position, tensor.Tensor{})
	o.Observe(prefix+"embeddings", x)
}

// forward norms x in place.
func (e *output) forward(o tensor.Ops, x tensor.Tensor) {
	e.norm.apply(o, x, x)
	o.Observe(prefix+"final_layer_norm", x)
}
