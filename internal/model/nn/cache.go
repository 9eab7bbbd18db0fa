package nn

import (
	"fmt"
	"math"

	"taca/internal/model"
	"taca/internal/tensor"
)

// Cache lets a step leave out all blocks but the first, and take what they added
// to the visual rows from an earlier step: where the first block adds nearly the
// same as it did then, the others would (first-block cache; TeaCache, arXiv
// 2411.19108, asks the same of the first block's input). What is compared is
// always the last step that ran all blocks, so that small changes add up; no step
// is taken for one with another gamma, and so other gates. A nil Cache does
// nothing.
type Cache struct {
	threshold float64
	ones      tensor.Tensor // 1 × width
	texts     []remembered
	gamma     float32 // of the step remembered
	full      bool    // there is one
	before    []tensor.Tensor
}

// remembered is what the last step that ran all blocks did to a text's visual
// rows.
type remembered struct {
	first, rest tensor.Tensor // what the first block added, and what all others did
	size        float64       // Σ|first|
}

// NewCache is a cache for the visual rows, rows × width in format d, of so many
// texts. At threshold 0 there is none.
func NewCache(b tensor.Backend, threshold float32, texts, rows, width int, d tensor.DType) (*Cache, error) {
	if threshold == 0 {
		return nil, nil
	}
	c := &Cache{threshold: float64(threshold), texts: make([]remembered, texts)}
	var err error
	state := func(to *tensor.Tensor, rows int, d tensor.DType) {
		if err == nil {
			*to, err = b.New(rows, width, d)
		}
	}
	state(&c.ones, 1, tensor.F32)
	for i := range c.texts {
		state(&c.texts[i].first, rows, d)
		state(&c.texts[i].rest, rows, d)
	}
	if err != nil {
		c.Free(b)
		return nil, fmt.Errorf("make room for --cache: %w", err)
	}
	ones := make([]float32, width)
	for i := range ones {
		ones[i] = 1
	}
	b.Upload(c.ones, ones)
	return c, nil
}

// Free gives back its memory.
func (c *Cache) Free(b tensor.Backend) {
	if c == nil {
		return
	}
	all := []tensor.Tensor{c.ones}
	for _, t := range c.texts {
		all = append(all, t.first, t.rest)
	}
	for _, t := range all {
		if !t.None() {
			b.Free(t)
		}
	}
}

// Before notes each text's visual rows as the first block finds them, in a step
// with that gamma. It takes scratch memory until the step ends.
func (c *Cache) Before(o tensor.Ops, visual []tensor.Tensor, gamma float32) {
	if c == nil {
		return
	}
	c.full = c.full && gamma == c.gamma
	c.gamma = gamma
	c.before = c.before[:0]
	for _, x := range visual {
		was := o.Scratch(x.Rows, x.Cols, x.DType)
		o.Copy(was, x)
		c.before = append(c.before, was)
	}
}

// After decides, once the first block has run. On a hit the visual rows are as
// the last block leaves them; else all blocks have to run, and then Keep. All
// texts hit or none does, for guidance would exaggerate the difference between
// what is of this step and what is not.
func (c *Cache) After(o tensor.Ops, visual []tensor.Tensor) model.Cached {
	if c == nil {
		return model.Cached{}
	}
	defer o.Release(o.Mark())
	added := make([]tensor.Tensor, len(visual))
	sums := o.Scratch(2*len(visual), visual[0].Rows, tensor.F32)
	for i, x := range visual {
		added[i] = o.Scratch(x.Rows, x.Cols, x.DType)
		o.Mix(added[i], 1, x, -1, c.before[i])
		c.magnitudes(o, sums.RowRange(2*i, 2*i+1), added[i], c.texts[i].first)
		c.magnitudes(o, sums.RowRange(2*i+1, 2*i+2), added[i], tensor.Tensor{})
	}
	host := make([]float32, sums.Rows*sums.Cols)
	o.Download(host, sums)
	var found model.Cached
	for i := range visual {
		if c.full {
			found.Change = math.Max(found.Change, sum(host[2*i*sums.Cols:][:sums.Cols])/c.texts[i].size)
		}
	}
	found.Hit = c.full && found.Change <= c.threshold // NaN is no hit
	c.full = found.Hit
	for i, x := range visual {
		t := &c.texts[i]
		if found.Hit {
			o.Mix(x, 1, x, 1, t.rest)
			continue
		}
		o.Copy(t.first, added[i])
		o.Copy(t.rest, x)
		t.size = sum(host[(2*i+1)*sums.Cols:][:sums.Cols])
	}
	return found
}

// Keep remembers a step, once all blocks have run.
func (c *Cache) Keep(o tensor.Ops, visual []tensor.Tensor) {
	if c == nil {
		return
	}
	for i, x := range visual {
		rest := c.texts[i].rest // so far what the first block left
		o.Mix(rest, 1, x, -1, rest)
	}
	c.full = true
}

// magnitudes writes Σ|x − y| of each row to dst, 1 × rows. y may be none. With a
// ramp for SiLU, 2·SiLU(sharp·x) − sharp·x is sharp·|x|.
func (c *Cache) magnitudes(o tensor.Ops, dst, x, y tensor.Tensor) {
	defer o.Release(o.Mark())
	apart, ramp := o.Scratch(x.Rows, x.Cols, tensor.F32), o.Scratch(x.Rows, x.Cols, tensor.F32)
	if y.None() {
		o.Mix(apart, sharp, x, 0, x)
	} else {
		o.Mix(apart, sharp, x, -sharp, y)
	}
	o.Activate(ramp, apart, tensor.SiLU)
	o.Mix(apart, 2./sharp, ramp, -1./sharp, apart)
	o.Linear(dst, c.ones, apart, tensor.Tensor{}, tensor.Identity)
}

func sum(values []float32) float64 {
	all := 0.0
	for _, v := range values {
		all += float64(v)
	}
	return all
}
