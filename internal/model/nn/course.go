package nn

import (
	"context"
	"fmt"

	"taca/internal/model"
	"taca/internal/tensor"
)

// Course is what the evaluators of all families keep along a trajectory: the
// vectors of its steps, the texts as they enter the blocks, and the cache, if
// there is one.
type Course struct {
	model.Trajectory
	Cache       *Cache
	backend     tensor.Backend
	conditioner *Conditioner
	entry       Entry
	moment      func(model.Step, model.Conditioning) Moment
	table       tensor.Tensor // a row for each text of each step
	ready       []bool        // steps whose rows are there
	texts       []tensor.Tensor
	from, to    int // the steps with whose gates texts are embedded
}

// Entry is where texts enter the blocks: the layer that gives their tokens the
// blocks' width, the group its weights are in, and the one needed after that.
type Entry struct {
	Text          *Linear
	Weights, Next tensor.Group
}

// Start begins a course on b, with activations in format d. moment is how a
// family sees a step and a text.
func (c *Conditioner) Start(b tensor.Backend, d tensor.DType, t model.Trajectory, entry Entry, moment func(model.Step, model.Conditioning) Moment) (*Course, error) {
	way := &Course{Trajectory: t, backend: b, conditioner: c, entry: entry, moment: moment, ready: make([]bool, len(t.Steps))}
	if err := way.makeRoom(d); err != nil {
		way.End()
		return nil, err
	}
	return way, nil
}

func (c *Course) makeRoom(d tensor.DType) (err error) {
	if c.table, err = c.backend.New(len(c.Steps)*len(c.Texts), c.conditioner.columns, tensor.F32); err != nil {
		return fmt.Errorf("make room for the modulation of %d steps: %w", len(c.Steps), err)
	}
	for _, text := range c.Texts {
		rows, err := c.backend.New(text.Tokens.Rows, c.conditioner.width, d)
		if err != nil {
			return fmt.Errorf("make room for %d tokens of text: %w", text.Tokens.Rows, err)
		}
		c.texts = append(c.texts, rows)
	}
	c.Cache, err = NewCache(c.backend, c.Trajectory.Cache, len(c.Texts), c.Grid.Rows(), c.conditioner.width, d)
	return err
}

// Ready computes the vectors of step i and of those after it that have the
// same gates, and embeds the texts for them.
func (c *Course) Ready(ctx context.Context, i int) error {
	if c.ready[i] && c.from <= i && i < c.to {
		return nil
	}
	end := c.Stretch(i)
	if !c.ready[i] {
		if err := c.modulate(ctx, i, end); err != nil {
			return err
		}
	}
	c.entry.Weights.Need(c.entry.Next)
	for t, text := range c.Texts {
		c.entry.Text.Embed(c.backend, c.texts[t], text.Tokens)
	}
	c.from, c.to = i, end
	return c.backend.Sync() // so that what a step asks of the device is the same in each
}

// modulate computes the vectors of steps i to end-1.
func (c *Course) modulate(ctx context.Context, i, end int) error {
	var moments []Moment
	for _, step := range c.Steps[i:end] {
		for _, text := range c.Texts {
			moments = append(moments, c.moment(step, text))
		}
	}
	n := len(c.Texts)
	if err := c.conditioner.fill(ctx, c.backend, c.table.RowRange(i*n, end*n), moments, c.entry.Weights); err != nil {
		return err
	}
	for ; i < end; i++ {
		c.ready[i] = true
	}
	return nil
}

// Enter writes the rows of text t to where the blocks will update them.
func (c *Course) Enter(t int, rows tensor.Tensor) {
	c.backend.Copy(rows, c.texts[t])
	c.backend.Observe("context_embedder", rows)
}

// Vectors is the rows of step i, one for each text, in scratch memory: at the
// same address in every step.
func (c *Course) Vectors(i int) tensor.Tensor {
	n := len(c.Texts)
	rows := c.backend.Scratch(n, c.table.Cols, tensor.F32)
	ids := make([]int32, n)
	for t := range ids {
		ids[t] = int32(i*n + t)
	}
	c.backend.Gather(rows, c.table, ids)
	return rows
}

// Through takes the rows of all texts through the blocks of step i: forward
// takes text t through block k. All texts go through a block before the next, so
// that its weights are brought once; homes is where those of each are, and of
// what comes after the last. visual is the visual rows of each text, by which the
// cache, if there is one, ends the step after its first block.
func (c *Course) Through(ctx context.Context, i int, visual []tensor.Tensor, homes []tensor.Group, forward func(k, t int)) (model.Cached, error) {
	var cached model.Cached
	c.Cache.Before(c.backend, visual, c.Steps[i].Gamma)
	for k, next := range homes[1:] {
		if err := ctx.Err(); err != nil {
			return cached, err
		}
		homes[k].Need(next)
		for t := range visual {
			forward(k, t)
		}
		if k > 0 {
			continue
		}
		if cached = c.Cache.After(c.backend, visual); cached.Hit {
			return cached, nil
		}
	}
	c.Cache.Keep(c.backend, visual)
	return cached, nil
}

// Witness is who looks on at a block's joint attention in step i, for text t.
func (c *Course) Witness(i, block, t int) Witness {
	if t > 0 {
		return Witness{}
	}
	return Witness{c.Watcher, i, block}
}

// Witness looks on at one attention. The zero Witness looks away.
type Witness struct {
	by          model.AttentionWatcher
	step, block int
}

// See tells of an attention's queries and keys, as they are given to the verb.
func (w Witness) See(o tensor.Ops, q, k tensor.Tensor, spec tensor.AttentionSpec) {
	if w.by != nil {
		w.by.Attended(o, w.step, w.block, q, k, spec)
	}
}

// End gives back its memory.
func (c *Course) End() {
	for _, t := range append(c.texts, c.table) {
		if !t.None() {
			c.backend.Free(t)
		}
	}
	c.Cache.Free(c.backend)
}
