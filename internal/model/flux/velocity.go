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
	course, err := m.conditioner.Start(m.backend, m.format, t, m.entry(), func(step model.Step, text model.Conditioning) nn.Moment {
		return nn.Moment{Time: thousandths(step.Sigma), Guidance: t.Guidance * 1000, Pooled: text.Pooled}
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
	passes, err := e.begin(x, i)
	if err != nil {
		return model.Cached{}, err
	}
	visual := make([]tensor.Tensor, len(passes))
	for t, p := range passes {
		visual[t] = p.joint.In(p.spec.Visual)
	}

	cached, err := e.Through(ctx, i, visual, m.homes, func(k, t int) {
		p := passes[t]
		p.spec.Gamma = e.Gamma(i, k)
		m.blocks[k].forward(o, p.joint, p.vectors, p.rope, p.spec, e.Witness(i, k, t))
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
	rope    tensor.Tensor
	spec    tensor.AttentionSpec
}

// begin embeds the latents of step i beside each text, in scratch memory.
func (e *evaluator) begin(x tensor.Tensor, i int) ([]pass, error) {
	m, o := e.model, e.model.backend
	vectors := e.Vectors(i)
	passes := make([]pass, len(e.Texts))
	for t, c := range e.Texts {
		text := tensor.Span{Lo: 0, Hi: c.Tokens.Rows}
		visual := tensor.Span{Lo: text.Hi, Hi: text.Hi + e.Grid.Rows()}
		rope, err := m.rope.of(text.Len(), e.Grid)
		if err != nil {
			return nil, err
		}
		joint, row := o.Scratch(visual.Hi, m.config.Width(), m.format), vectors.RowRange(t, t+1)
		m.conditioner.Observe(o, row)
		m.first.forward(o, joint.In(visual), x)
		e.Enter(t, joint.In(text))
		passes[t] = pass{joint, row, rope, m.attention(text, visual)}
	}
	return passes, nil
}

// attention says how all blocks attend; gamma is each block's own.
func (m *Model) attention(text, visual tensor.Span) tensor.AttentionSpec {
	return tensor.AttentionSpec{
		Heads: m.config.Heads,
		Scale: nn.AttentionScale(m.config.HeadSize),
		Gamma: 1,
		Text:  text, Visual: visual,
	}
}

// forward writes the first visual rows.
func (e *embedders) forward(o tensor.Ops, visual, x tensor.Tensor) {
	e.visual.Apply(o, visual, x, tensor.Identity)
	o.Observe("x_embedder", visual)
}

// thousandths is the timestep of sigma, rounded as the reference rounds it:
// its pipeline divides the scheduler's timestep by 1000, and its transformer
// multiplies it by 1000 again.
func thousandths(sigma float32) float32 {
	timestep := sigma * 1000
	return timestep / 1000 * 1000
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
