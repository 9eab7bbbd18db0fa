package sd3

import (
	"fmt"

	"taca/internal/checkpoint"
	"taca/internal/model"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// Model is an SD3 transformer with its weights. It implements model.Denoiser.
type Model struct {
	config  Config
	format  tensor.DType // of activations
	backend tensor.Backend
	binder  *nn.Binder

	conditioner nn.Conditioner
	first       embedders
	blocks      []*block
	last        nn.Output
	homes       []tensor.Group // of each block's weights, then of what comes after
}

// embedders are what comes before the blocks.
type embedders struct {
	weights tensor.Group
	text    nn.Linear
	visual  patches
}

// Open binds a transformer's weights on backend b, for activations in format
// d (F32 or BF16). A nil source binds shapes alone, for a dry backend. The
// error lists every tensor that is missing, unused or of another shape than c
// says.
func Open(c Config, source checkpoint.Source, b tensor.Backend, d tensor.DType) (*Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := nn.NewBinder(source, b)
	m := &Model{config: c, format: d, backend: b, binder: w}
	m.conditioner.Bind(w.In("time_text_embed"), c.Width(), c.PooledWidth, false)
	m.first.bind(w, c)
	for i := range c.Blocks {
		next, w := &block{}, w.Group(fmt.Sprintf("transformer_blocks.%d", i))
		next.bind(w, &m.conditioner, c, i)
		m.blocks, m.homes = append(m.blocks, next), append(m.homes, w.Weights())
	}
	m.last.Bind(w.Group(""), &m.conditioner, c.Width(), c.Geometry().PatchColumns())
	m.homes = append(m.homes, m.last.Weights)
	if err := w.Close(nil); err != nil {
		m.Drop()
		return nil, fmt.Errorf("sd3 transformer: %w", err)
	}
	return m, nil
}

func (e *embedders) bind(w *nn.Binder, c Config) {
	e.weights = w.Weights()
	e.visual.bind(w.In("pos_embed"), c)
	w.Linear(&e.text, "context_embedder", c.Width(), c.TextWidth)
}

// entry is where texts enter.
func (m *Model) entry() nn.Entry {
	return nn.Entry{Text: &m.first.text, Weights: m.first.weights, Next: m.homes[0]}
}

// Layers is every linear layer by canonical path, where a LoRA may attach.
func (m *Model) Layers() map[string]*nn.Linear { return m.binder.Layers() }

// Geometry relates images to the transformer's tokens.
func (m *Model) Geometry() model.Geometry { return m.config.Geometry() }

// Drop gives back the weights; the model is dead afterwards.
func (m *Model) Drop() { m.binder.Drop() }
