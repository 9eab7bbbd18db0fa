package cpu

import (
	"fmt"
	"slices"
	"sync/atomic"

	"taca/internal/mapping"
	"taca/internal/tensor"
)

// group is weights in the checkpoint's own mapping: the operating system is
// the cache, and nothing is copied.
type group struct {
	of     *Backend
	bound  []*memory
	ranges []mapping.Range // of bound, what lies in mapped files
	mapped int             // bytes of them
	copied int             // bytes that lie elsewhere, and so never leave memory
	kept   bool            // stays, whatever else has to leave
	seldom bool            // leaves before others have to
	stays  bool            // as decided for all groups at once

	used    bool         // since it last left
	fetched bool         // since it last left
	left    atomic.Int32 // how often it has
}

// NewGroup makes an empty group. The backend knows its groups so that the
// collector does not take their memory while C works on it.
func (b *Backend) NewGroup() tensor.Group {
	g := &group{of: b}
	b.weights.groups = append(b.weights.groups, g)
	b.weights.placed = false
	return g
}

// Bind wraps raw as it is.
func (g *group) Bind(raw []byte, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	if err := tensor.CheckBind(raw, rows, cols, d); err != nil {
		return tensor.Tensor{}, fmt.Errorf("cpu: %w", err)
	}
	m := &memory{data: raw}
	g.bound = append(g.bound, m)
	if r, ok := mapping.Find(raw); ok {
		g.ranges = append(g.ranges, r)
		g.mapped += r.Len()
	} else {
		g.copied += len(raw)
	}
	g.of.weights.placed = false
	return tensor.Weights(m, rows, cols, d), nil
}

// Need says what will be read now, and what after it.
func (g *group) Need(next tensor.Group) {
	n, _ := next.(*group)
	g.of.turnTo(g, n)
}

// Keep makes the weights stay in memory once they have been read.
func (g *group) Keep() {
	g.kept, g.used = true, true
	g.of.weights.placed = false
}

// Seldom makes the weights leave before others have to.
func (g *group) Seldom() {
	g.seldom = true
	g.of.weights.placed = false
}

// Drop forgets the windows, so that a use after it fails instead of reading
// an unmapped file, and gives back their pages.
func (g *group) Drop() {
	g.leave()
	for _, m := range g.bound {
		m.data = nil
	}
	g.bound, g.ranges, g.mapped, g.copied = nil, nil, 0, 0
	w := &g.of.weights
	w.groups = slices.DeleteFunc(w.groups, func(other *group) bool { return other == g })
	w.placed = false
	if w.current == g {
		w.current = nil
	}
}

// leave takes the group's pages out of the program's memory, and out of the
// kernel's cache too where that has no room for all groups.
func (g *group) leave() {
	g.left.Add(1)
	if !g.used {
		return
	}
	g.used, g.fetched = false, false
	for _, r := range mapping.Join(g.ranges) {
		if g.of.weights.forget {
			r.Forget()
		} else {
			r.Leave()
		}
	}
}

// fetch has the group's pages read beside whatever is computed meanwhile.
func (g *group) fetch() {
	if g.fetched || len(g.ranges) == 0 {
		return
	}
	g.fetched = true
	w, left, ranges := &g.of.weights, g.left.Load(), mapping.Join(g.ranges)
	enough := func() bool { return g.left.Load() != left || w.closing.Load() }
	w.fetches.Add(1)
	go func() {
		defer w.fetches.Done()
		w.turn.Lock()
		defer w.turn.Unlock()
		for _, r := range ranges {
			r.Fetch(enough)
		}
	}()
}
