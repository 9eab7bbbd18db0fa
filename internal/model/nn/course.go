package nn

import (
	"context"
	"fmt"

	"taca/internal/model"
	"taca/internal/tensor"
)

// Course is what the evaluators of all families keep along a trajectory: the
// vectors of its steps, and the cache, if there is one.
type Course struct {
	model.Trajectory
	Cache       *Cache
	backend     tensor.Backend
	conditioner *Conditioner
	moment      func(model.Step, model.Conditioning) Moment
	table       tensor.Tensor // a row for each text of each step
	ready       []bool        // steps whose rows are there
}

// Start begins a course on b, with activations in format d. moment is how a
// family sees a step and a text.
func (c *Conditioner) Start(b tensor.Backend, d tensor.DType, t model.Trajectory, moment func(model.Step, model.Conditioning) Moment) (*Course, error) {
	table, err := b.New(len(t.Steps)*len(t.Texts), c.columns, tensor.F32)
	if err != nil {
		return nil, fmt.Errorf("make room for the modulation of %d steps: %w", len(t.Steps), err)
	}
	cache, err := NewCache(b, t.Cache, len(t.Texts), t.Grid.Rows(), c.width, d)
	if err != nil {
		b.Free(table)
		return nil, err
	}
	return &Course{Trajectory: t, Cache: cache, backend: b, conditioner: c, moment: moment, table: table, ready: make([]bool, len(t.Steps))}, nil
}

// Ready computes the vectors of step i and of those after it that have the
// same gates. next is the group needed after it.
func (c *Course) Ready(ctx context.Context, i int, next tensor.Group) error {
	if c.ready[i] {
		return nil
	}
	end := c.Stretch(i)
	var moments []Moment
	for _, step := range c.Steps[i:end] {
		for _, text := range c.Texts {
			moments = append(moments, c.moment(step, text))
		}
	}
	n := len(c.Texts)
	if err := c.conditioner.fill(ctx, c.backend, c.table.RowRange(i*n, end*n), moments, next); err != nil {
		return err
	}
	for ; i < end; i++ {
		c.ready[i] = true
	}
	return c.backend.Sync() // so that what a step asks of the device is the same in each
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
	c.backend.Free(c.table)
	c.Cache.Free(c.backend)
}
