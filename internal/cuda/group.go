//go:build cuda

package cuda

import (
	"fmt"
	"slices"

	"taca/internal/residency"
	"taca/internal/tensor"
)

// group is weights that arrive and leave together. Whether they stay on the
// device or pass through it is decided for a whole set of groups at once.
type group struct {
	of       *Backend
	set      *set
	members  []member
	settled  int        // members that have a place; later ones were bound later
	segments []*segment // resident memory
	streamed *segment   // where the ring holds the members now, or nil if they stay
	slot     *slot      // the ring's place that holds them, or nil
	fetching *fetch     // under way, or nil
	next     *group     // what was needed after this one
	kept     bool       // never to be streamed
	seldom   bool       // the first to be streamed
}

// member is one weight: where it is in the checkpoint and on the device.
type member struct {
	raw []byte
	mem *memory
}

// NewGroup makes an empty group. Groups made one after the other, before any
// of them is needed, are one set: a model binds all its blocks before it runs.
func (b *Backend) NewGroup() tensor.Group {
	if b.binding == nil {
		b.binding = &set{}
		b.sets = append(b.sets, b.binding)
	}
	g := &group{of: b, set: b.binding}
	g.set.groups = append(g.set.groups, g)
	return g
}

// Bind notes where the weights are; they are copied when they are needed.
func (g *group) Bind(raw []byte, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	if err := tensor.CheckBind(raw, rows, cols, d); err != nil {
		return tensor.Tensor{}, fmt.Errorf("cuda: %w", err)
	}
	m := &memory{bytes: len(raw), home: g}
	g.members = append(g.members, member{raw, m})
	return tensor.Weights(m, rows, cols, d), nil
}

// bytes is what the members from the i-th on take on the device.
func (g *group) bytes(from int) int {
	sum := 0
	for _, m := range g.members[from:] {
		sum += residency.Aligned(m.mem.bytes)
	}
	return sum
}

// settle gives a place to members that have none.
func (g *group) settle() {
	b := g.of
	if g.settled == len(g.members) || b.err != nil {
		return
	}
	if !g.set.decided {
		if err := b.decide(g.set); err != nil {
			b.fail(err)
			return
		}
	}
	if g.streamed != nil && g.settled == 0 {
		g.place(g.streamed, 0)
		return
	}
	s, err := b.alloc(g.bytes(g.settled), "weights")
	if err != nil {
		b.fail(err)
		return
	}
	g.segments = append(g.segments, s)
	from := g.settled
	g.place(s, from)
	b.fail(b.copier.load(s, g.members[from:]))
}

// place lays members out in s, one after the other.
func (g *group) place(s *segment, from int) {
	at := 0
	for _, m := range g.members[from:] {
		m.mem.segment, m.mem.offset = s, at
		at += residency.Aligned(m.mem.bytes)
	}
	g.settled = len(g.members)
}

// Need makes the group's weights usable by the verbs that follow, and starts
// to bring those of next.
func (g *group) Need(next tensor.Group) {
	b := g.of
	if b.err != nil {
		return
	}
	g.next, _ = next.(*group)
	g.settle()
	if g.streamed != nil && b.err == nil {
		b.fail(b.ring.use(g))
	}
}

// Keep makes the weights stay on the device.
func (g *group) Keep() { g.kept = true }

// Seldom makes the weights the first to be streamed.
func (g *group) Seldom() { g.seldom = true }

// Drop gives the memory back.
func (g *group) Drop() {
	b := g.of
	if g.segments != nil || g.slot != nil || g.fetching != nil {
		b.wait()
	}
	b.ring.leave(g)
	g.evict()
	for _, m := range g.members {
		m.mem.home = nil // a use of it from now on panics
	}
	g.members, g.settled = nil, 0
	g.set.groups = slices.DeleteFunc(g.set.groups, func(other *group) bool { return other == g })
	if len(g.set.groups) == 0 {
		b.dissolve(g.set)
	}
}

// evict takes the members' places away; the next use finds them new ones.
func (g *group) evict() {
	for _, s := range g.segments {
		g.of.free(s)
	}
	for _, m := range g.members {
		m.mem.segment = nil
	}
	g.segments, g.streamed, g.settled = nil, nil, 0
}
