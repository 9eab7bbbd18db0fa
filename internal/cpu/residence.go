package cpu

import (
	"sync"
	"sync/atomic"

	"taca/internal/residency"
	"taca/internal/tensor"
)

// residence is the weights that are open on a backend, and which of them stay
// in memory. Those that do not are read from their files each time, one group
// ahead of the one in use, and leave when they have been used.
type residence struct {
	groups  []*group // in the order they were made
	memory  int      // for weights and scratch; 0: without bounds
	cache   int      // what the kernel would keep beside scratch; 0: without bounds
	placed  bool     // it has been decided who stays
	forget  bool     // who does not leaves the kernel's cache, too
	current *group   // in use

	turn    sync.Mutex // one group is fetched at a time
	fetches sync.WaitGroup
	closing atomic.Bool
}

// Limit keeps the backend within so many bytes of memory, as far as weights can
// that pass through it. The kernel would cache them within the bytes of cache.
// A limit of 0 is none.
func (b *Backend) Limit(memory, cache int) {
	b.weights.memory, b.weights.cache, b.weights.placed = memory, cache, false
}

// Workspace is what the workers have of their own, in bytes.
func (b *Backend) Workspace() int { return b.pool.workers * workBytes }

// Packed is what the left operand of a product takes that is packed: one of so
// many elements in format d, for a result of so many columns.
func (b *Backend) Packed(elements, cols int, d tensor.DType) int {
	t := b.kernels.table.pairs
	if d != tensor.BF16 || t.grain == 0 || cols <= int(t.cols) {
		return 0
	}
	return min(elements*d.Size(), packMost)
}

// turnTo makes g the group in use and fetches next, which may be nil.
func (b *Backend) turnTo(g, next *group) {
	w := &b.weights
	if !w.placed {
		b.place()
	}
	if c := w.current; c != nil && c != g && !c.stays {
		c.leave()
	}
	w.current, g.used = g, true
	if next != nil && next != g {
		next.fetch()
	}
}

// place decides for all groups at once which ones stay. Encoders that are open
// count like the transformer that waits for them: its pages are not there yet,
// or would have to make room.
func (b *Backend) place() {
	w := &b.weights
	sizes, taken := make([]residency.Group, len(w.groups)), b.Workspace()+len(b.scratch.data)
	for i, g := range w.groups {
		taken += g.copied
		if g.kept {
			taken += g.mapped
		} else {
			sizes[i] = residency.Group{Bytes: g.mapped, Seldom: g.seldom}
		}
	}
	p := residency.OnHost(sizes, w.memory, taken)
	// Short of its end the kernel keeps weights that pass instead of those that stay.
	passes := p.StreamedBytes() + p.SeldomBytes()
	w.placed, w.forget = true, passes > 0 && w.cache > 0 && taken+p.ResidentBytes()+passes > w.cache/4*3
	for i, g := range w.groups {
		g.stays = p.Resident[i]
		if !g.stays && g != w.current {
			g.leave()
		}
	}
}

// close ends what is being fetched.
func (w *residence) close() {
	w.closing.Store(true)
	w.fetches.Wait()
	w.groups, w.current = nil, nil
}
