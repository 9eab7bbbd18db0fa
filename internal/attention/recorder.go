package attention

import (
	"fmt"

	"taca/internal/model"
	"taca/internal/tensor"
)

// Recorder watches the joint attentions of one picture after the other. What it
// adds up stays on the device until a step is taken. It is used by one goroutine
// at a time.
type Recorder struct {
	b      tensor.Backend
	blocks int
	made   layout
	table  tensor.Tensor // blocks × 2·heads: sums over the queries, of shares, then of entropies
	stats  tensor.Tensor // of the last block, as AttentionStats has them
	maps   tensor.Tensor // of the last block: visual × text
	total  tensor.Tensor // of all blocks of the step
	ones   tensor.Tensor // 1 × visual
	seen   []Block       // of the step, without their numbers
	err    error
}

// layout is what the recorder's memory depends on.
type layout struct{ heads, visual, text int }

var _ model.AttentionWatcher = (*Recorder)(nil)

// NewRecorder is a recorder of a denoiser with so many blocks, on its backend.
func NewRecorder(b tensor.Backend, blocks int) *Recorder { return &Recorder{b: b, blocks: blocks} }

// Step is what was seen in one step.
type Step struct {
	Blocks []Block
	// Maps is visual × text, row by row: what each visual token spends on each
	// text token, averaged over heads and blocks.
	Maps         []float32
	Visual, Text int
}

// Block is what the visual tokens do on average in one block, by head.
type Block struct {
	Index   int
	Gamma   float32   // that acted
	Share   []float64 // of their attention that text has, 0..1
	Entropy []float64 // of their attention, in nats
}

// Attended implements model.AttentionWatcher. An attention without text, or
// without visual tokens, is nothing to look at.
func (r *Recorder) Attended(o tensor.Ops, _, block int, q, k tensor.Tensor, spec tensor.AttentionSpec) {
	if spec.Text.Empty() || spec.Visual.Empty() || !r.ready(layout{spec.Heads, spec.Visual.Len(), spec.Text.Len()}) {
		return
	}
	o.AttentionStats(r.stats, r.maps, q, k, spec)
	o.Linear(r.table.RowRange(block, block+1), r.ones, r.stats, tensor.Tensor{}, tensor.Identity)
	if len(r.seen) == 0 {
		o.Copy(r.total, r.maps)
	} else {
		o.GatedAdd(r.total, r.maps, tensor.Tensor{})
	}
	r.seen = append(r.seen, Block{Index: block, Gamma: spec.Gamma})
}

// ready makes memory of that layout.
func (r *Recorder) ready(l layout) bool {
	if r.made == l && r.err == nil {
		return true
	}
	r.release()
	state := func(to *tensor.Tensor, rows, cols int) {
		if r.err == nil {
			*to, r.err = r.b.New(rows, cols, tensor.F32)
		}
	}
	state(&r.table, r.blocks, 2*l.heads)
	state(&r.stats, 2*l.heads, l.visual)
	state(&r.maps, l.visual, l.text)
	state(&r.total, l.visual, l.text)
	state(&r.ones, 1, l.visual)
	if r.err != nil {
		r.release()
		return false
	}
	ones := make([]float32, l.visual)
	for i := range ones {
		ones[i] = 1
	}
	r.b.Upload(r.ones, ones)
	r.made = l
	return true
}

// Take is what was seen since the last call, a step's worth. It waits for the
// device.
func (r *Recorder) Take() (Step, error) {
	step := Step{Blocks: r.seen, Visual: r.made.visual, Text: r.made.text}
	r.seen = nil
	if r.err != nil {
		return Step{}, fmt.Errorf("make room for recording attention: %w", r.err)
	}
	if len(step.Blocks) == 0 {
		return step, nil
	}
	sums := make([]float32, r.table.Rows*r.table.Cols)
	r.b.Download(sums, r.table)
	step.Maps = make([]float32, step.Visual*step.Text)
	r.b.Download(step.Maps, r.total)
	for i := range step.Maps {
		step.Maps[i] /= float32(len(step.Blocks))
	}
	for i := range step.Blocks {
		b := &step.Blocks[i]
		row := sums[b.Index*r.table.Cols:][:r.table.Cols]
		for h := range r.made.heads {
			b.Share = append(b.Share, float64(row[h])/float64(step.Visual))
			b.Entropy = append(b.Entropy, float64(row[r.made.heads+h])/float64(step.Visual))
		}
	}
	return step, r.b.Err()
}

// Free gives back the recorder's memory.
func (r *Recorder) Free() {
	r.release()
	r.seen, r.err = nil, nil
}

func (r *Recorder) release() {
	for _, t := range []*tensor.Tensor{&r.table, &r.stats, &r.maps, &r.total, &r.ones} {
		if !t.None() {
			r.b.Free(*t)
		}
		*t = tensor.Tensor{}
	}
	r.made = layout{}
}
