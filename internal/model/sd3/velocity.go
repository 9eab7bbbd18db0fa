package sd3

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
	if err := m.accept(step); err != nil {
		return err
	}
	o := m.backend
	defer o.Release(o.Mark())
	text := tensor.Span{Lo: 0, Hi: step.Text.Tokens.Rows}
	visual := tensor.Span{Lo: text.Hi, Hi: text.Hi + step.Grid.Rows()}

	m.first.weights.Need(m.weights(0))
	joint := o.Scratch(visual.Hi, m.config.Width(), m.format)
	cond := m.first.forward(o, joint.In(text), joint.In(visual), x, step)

	spec := m.attention(text, visual, step.Gamma)
	for i, b := range m.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.weights.Need(m.weights(i + 1))
		b.forward(o, joint, cond, spec)
	}

	m.last.weights.Need(m.first.weights)
	m.last.forward(o, dst, joint.In(visual), cond)
	return o.Err()
}

// attention says how text and visual tokens attend to each other in all
// blocks. It is the one place where TACA enters.
func (m *Model) attention(text, visual tensor.Span, gamma float32) tensor.AttentionSpec {
	return tensor.AttentionSpec{
		Heads: m.config.Heads,
		Scale: nn.AttentionScale(m.config.HeadSize),
		Gamma: gamma,
		Text:  text, Visual: visual,
	}
}

// alone is joint for visual rows by themselves. With no text there is nothing
// that gamma could act on.
func alone(joint tensor.AttentionSpec, rows int) tensor.AttentionSpec {
	joint.Text, joint.Visual = tensor.Span{}, tensor.Span{Lo: 0, Hi: rows}
	return joint
}

// forward writes the first rows of both streams, and returns the conditioning
// of all blocks in scratch memory.
func (e *embedders) forward(o tensor.Ops, text, visual, x tensor.Tensor, step model.Step) tensor.Tensor {
	e.visual.forward(o, visual, x, step.Grid)
	cond := e.conditioner.Apply(o, step.Sigma*1000, 0, step.Text.Pooled)
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

// weights is the home of block i, or of what comes after the last block.
func (m *Model) weights(i int) tensor.Group {
	if i < len(m.blocks) {
		return m.blocks[i].weights
	}
	return m.last.weights
}

// accept refuses images that are too large, and conditioning from encoders
// that belong to another model.
func (m *Model) accept(step model.Step) error {
	c := step.Text
	if c.Tokens.Cols != m.config.TextWidth || c.Pooled.Cols != m.config.PooledWidth {
		return fmt.Errorf("sd3 transformer: text encoders give %d columns and %d pooled, config.json wants %d and %d: "+
			"they belong to another model",
			c.Tokens.Cols, c.Pooled.Cols, m.config.TextWidth, m.config.PooledWidth)
	}
	return m.first.visual.accept(step.Grid)
}
