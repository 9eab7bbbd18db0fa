package sd3

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
	for _, text := range t.Texts {
		if err := m.accept(text); err != nil {
			return nil, err
		}
	}
	if err := m.first.visual.accept(t.Grid); err != nil {
		return nil, err
	}
	course, err := m.conditioner.Start(m.backend, m.format, t, m.entry(), func(step model.Step, text model.Conditioning) nn.Moment {
		return nn.Moment{Time: step.Sigma * 1000, Pooled: text.Pooled}
	})
	if err != nil {
		return nil, err
	}
	return &evaluator{course, m}, nil
}

// Velocity implements model.Evaluator.
func (e *evaluator) Velocity(ctx context.Context, dst []tensor.Tensor, x tensor.Tensor, i int) (model.Cached, error) {
	if err := e.Ready(ctx, i); err != nil {
		return model.Cached{}, err
	}
	m, o := e.model, e.model.backend
	defer o.Release(o.Mark())
	m.first.weights.Need(m.homes[0])
	passes := e.begin(x, i)
	visual := make([]tensor.Tensor, len(passes))
	for t, p := range passes {
		visual[t] = p.joint.In(p.spec.Visual)
	}

	cached, err := e.Through(ctx, i, visual, m.homes, func(k, t int) {
		p := passes[t]
		p.spec.Gamma = e.Gamma(i, k)
		m.blocks[k].forward(o, p.joint, p.vectors, p.spec, e.Witness(i, k, t))
	})
	if err != nil {
		return cached, err
	}
	m.last.Weights.Need(m.first.weights)
	for t, p := range passes {
		m.last.Forward(o, dst[t], visual[t], p.vectors)
	}
	return cached, o.Err()
}

// pass is one text's way through the blocks in one step. All texts go through
// a block before the next, so that its weights are brought once.
type pass struct {
	joint   tensor.Tensor // the rows of all tokens
	vectors tensor.Tensor // the row that modulates all blocks
	spec    tensor.AttentionSpec
}

// begin embeds the latents of step i beside each text, in scratch memory.
func (e *evaluator) begin(x tensor.Tensor, i int) []pass {
	m, o := e.model, e.model.backend
	vectors := e.Vectors(i)
	passes := make([]pass, len(e.Texts))
	for t, c := range e.Texts {
		text := tensor.Span{Lo: 0, Hi: c.Tokens.Rows}
		visual := tensor.Span{Lo: text.Hi, Hi: text.Hi + e.Grid.Rows()}
		joint, row := o.Scratch(visual.Hi, m.config.Width(), m.format), vectors.RowRange(t, t+1)
		m.conditioner.Observe(o, row)
		m.first.visual.forward(o, joint.In(visual), x, e.Grid)
		e.Enter(t, joint.In(text))
		passes[t] = pass{joint, row, m.attention(text, visual)}
	}
	return passes
}

// attention says how text and visual tokens attend to each other in all
// blocks; gamma is each block's own.
func (m *Model) attention(text, visual tensor.Span) tensor.AttentionSpec {
	return tensor.AttentionSpec{
		Heads: m.config.Heads,
		Scale: nn.AttentionScale(m.config.HeadSize),
		Gamma: 1,
		Text:  text, Visual: visual,
	}
}

// alone is joint for visual rows by themselves. With no text there is nothing
// that gamma could act on.
func alone(joint tensor.AttentionSpec, rows int) tensor.AttentionSpec {
	joint.Text, joint.Visual = tensor.Span{}, tensor.Span{Lo: 0, Hi: rows}
	return joint
}

// accept refuses conditioning from encoders that belong to another model.
func (m *Model) accept(c model.Conditioning) error {
	if c.Tokens.Cols != m.config.TextWidth || c.Pooled.Cols != m.config.PooledWidth {
		return fmt.Errorf("sd3 transformer: text encoders give %d columns and %d pooled, config.json wants %d and %d: "+
			"they belong to another model",
			c.Tokens.Cols, c.Pooled.Cols, m.config.TextWidth, m.config.PooledWidth)
	}
	return nil
}
