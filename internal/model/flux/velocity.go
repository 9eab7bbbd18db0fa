package flux

import (
	"context"
	"fmt"

	"taca/internal/model"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

var _ model.Denoiser = (*Model)(nil)

// Velocity implements model.Denoiser.
func (m *Model) Velocity(ctx context.Context, dst, x tensor.Tensor, step model.Step) error {
	if err := m.accept(step.Text); err != nil {
		return err
	}
	o := m.backend
	defer o.Release(o.Mark())
	text := tensor.Span{Lo: 0, Hi: step.Text.Tokens.Rows}
	visual := tensor.Span{Lo: text.Hi, Hi: text.Hi + step.Grid.Rows()}
	rope, err := m.rope.of(text.Len(), step.Grid)
	if err != nil {
		return err
	}

	m.first.weights.Need(m.weights(0))
	joint := o.Scratch(visual.Hi, m.config.Width(), m.format)
	cond := m.first.forward(o, joint.In(text), joint.In(visual), x, step)

	spec := m.attention(text, visual, step.Gamma)
	for i, b := range m.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.weights.Need(m.weights(i + 1))
		b.forward(o, joint, cond, rope, spec)
	}

	m.last.weights.Need(m.first.weights)
	m.last.forward(o, dst, joint.In(visual), cond)
	return o.Err()
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

// forward writes the first rows of both streams, and returns the conditioning
// of all blocks in scratch memory.
func (e *embedders) forward(o tensor.Ops, text, visual, x tensor.Tensor, step model.Step) tensor.Tensor {
	e.visual.Apply(o, visual, x, tensor.Identity)
	o.Observe("x_embedder", visual)
	cond := e.conditioner.Apply(o, thousandths(step.Sigma), step.Guidance*1000, step.Text.Pooled)
	e.text.Embed(o, text, step.Text.Tokens)
	o.Observe("context_embedder", text)
	return cond
}

// forward writes the velocity of the visual rows x, which it overwrites.
func (e *output) forward(o tensor.Ops, dst, x, cond tensor.Tensor) {
	nn.ModulateLast(o, &e.modulation, cond).Norm(o, x, x)
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
