package flux

import (
	"context"
	"fmt"

	"taca/internal/model"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

var _ model.Denoiser = (*Model)(nil)

// evaluator takes the model along one trajectory.
type evaluator struct {
	*nn.Course
	model *Model
}

// Start implements model.Denoiser.
func (m *Model) Start(t model.Trajectory) (model.Evaluator, error) {
	longest := 0
	for _, text := range t.Texts {
		if err := m.accept(text); err != nil {
			return nil, err
		}
		longest = max(longest, text.Tokens.Rows)
	}
	if _, err := m.rope.of(longest, t.Grid); err != nil {
		return nil, err
	}
	course, err := m.conditioner.Start(m.backend, t, func(step model.Step, text model.Conditioning) nn.Moment {
		return nn.Moment{Time: thousandths(step.Sigma), Guidance: t.Guidance * 1000, Pooled: text.Pooled}
	})
	if err != nil {
		return nil, err
	}
	return &evaluator{course, m}, nil
}

// Ready implements model.Evaluator.
func (e *evaluator) Ready(ctx context.Context, i int) error {
	return e.Course.Ready(ctx, i, e.model.first.weights)
}

// Velocity implements model.Evaluator.
func (e *evaluator) Velocity(ctx context.Context, dst []tensor.Tensor, x tensor.Tensor, i int) error {
	if err := e.Ready(ctx, i); err != nil {
		return err
	}
	m, o := e.model, e.model.backend
	defer o.Release(o.Mark())
	vectors := e.Vectors(i)
	for t := range e.Texts {
		if err := m.pass(ctx, dst[t], x, vectors.RowRange(t, t+1), e.Texts[t].Tokens, e.Grid, e.Steps[i].Gamma); err != nil {
			return err
		}
	}
	return o.Err()
}

// pass is one text's way through all blocks.
func (m *Model) pass(ctx context.Context, dst, x, vectors, tokens tensor.Tensor, grid tensor.Grid, gamma float32) error {
	o := m.backend
	defer o.Release(o.Mark())
	text := tensor.Span{Lo: 0, Hi: tokens.Rows}
	visual := tensor.Span{Lo: text.Hi, Hi: text.Hi + grid.Rows()}
	rope, err := m.rope.of(text.Len(), grid)
	if err != nil {
		return err
	}

	m.first.weights.Need(m.weights(0))
	joint := o.Scratch(visual.Hi, m.config.Width(), m.format)
	m.conditioner.Observe(o, vectors)
	m.first.forward(o, joint.In(text), joint.In(visual), x, tokens)

	spec := m.attention(text, visual, gamma)
	for i, b := range m.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.weights.Need(m.weights(i + 1))
		b.forward(o, joint, vectors, rope, spec)
	}

	m.last.weights.Need(m.first.weights)
	m.last.forward(o, dst, joint.In(visual), vectors)
	return nil
}

// attention says how all blocks attend. It is the one place where TACA enters.
func (m *Model) attention(text, visual tensor.Span, gamma float32) tensor.AttentionSpec {
	return tensor.AttentionSpec{
		Heads: m.config.Heads,
		Scale: nn.AttentionScale(m.config.HeadSize),
		Gamma: gamma,
		Text:  text, Visual: visual,
	}
}

// forward writes the first rows of both streams.
func (e *embedders) forward(o tensor.Ops, text, visual, x, tokens tensor.Tensor) {
	e.visual.Apply(o, visual, x, tensor.Identity)
	o.Observe("x_embedder", visual)
	e.text.Embed(o, text, tokens)
	o.Observe("context_embedder", text)
}

// forward writes the velocity of the visual rows x, which it overwrites.
func (e *output) forward(o tensor.Ops, dst, x, vectors tensor.Tensor) {
	e.vectors.ModulateLast(vectors).Norm(o, x, x)
	o.Observe("norm_out", x)
	e.project.Apply(o, dst, x, tensor.Identity)
	o.Observe("proj_out", dst)
}

// thousandths is the timestep of sigma, rounded as the reference rounds it:
// its pipeline divides the scheduler's timestep by 1000, and its transformer
// multiplies it by 1000 again.
func thousandths(sigma float32) float32 {
	timestep := sigma * 1000
	return timestep / 1000 * 1000
}

// weights is the home of block i, or of what comes after the last block.
func (m *Model) weights(i int) tensor.Group {
	if i < len(m.blocks) {
		return m.blocks[i].weights
	}
	return m.last.weights
}

// accept refuses conditioning from encoders that belong to another model.
func (m *Model) accept(c model.Conditioning) error {
	if c.Tokens.Cols != m.config.TextWidth || c.Pooled.Cols != m.config.PooledWidth {
		return fmt.Errorf("flux transformer: text encoders give %d columns and %d pooled, config.json wants %d and %d: "+
			"they belong to another model",
			c.Tokens.Cols, c.Pooled.Cols, m.config.TextWidth, m.config.PooledWidth)
	}
	return nil
}
