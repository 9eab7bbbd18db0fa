//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"slices"

	"taca/internal/residency"
	"taca/internal/tensor"
)

// set is the groups of one model, whose places are decided together.
type set struct {
	groups    []*group
	decided   bool
	committed int // bytes promised to it, whether or not they are taken yet
}

// budget is what weights may still be promised.
func (b *Backend) budget() int {
	left := b.capacity - residency.Reserve - b.scratch.bytes - b.ring.bytes()
	for m := range b.owned {
		left -= m.bytes
	}
	for _, c := range b.temporary.chunks {
		left -= c.bytes
	}
	for _, s := range b.sets {
		left -= s.committed
	}
	return left
}

// decide places all groups of s.
func (b *Backend) decide(s *set) error {
	if b.binding == s {
		b.binding = nil // what is bound from now on is another model
	}
	p, err := b.placement(s)
	var small *residency.TooSmall
	if errors.As(err, &small) && b.evictOthers(s) {
		p, err = b.placement(s)
	}
	if errors.As(err, &small) {
		return b.outOfMemory(small.Need, fmt.Sprintf("weights beside scratch and %s for the driver and cuBLASLt", residency.Text(residency.Reserve)), max(small.Budget, 0))
	}
	if err != nil {
		return err
	}
	for i, g := range s.groups {
		if !p.Resident[i] && !g.kept {
			g.streamed = &segment{bytes: g.bytes(0)}
		}
	}
	s.decided, s.committed = true, p.ResidentBytes()+s.keptBytes()
	if p.Slot == 0 {
		return nil
	}
	return b.ring.grow(p.Slot)
}

// placement decides within what is left; a ring that is there already may be
// used by s as well.
func (b *Backend) placement(s *set) (residency.Placement, error) {
	groups := make([]residency.Group, len(s.groups))
	for i, g := range s.groups {
		if !g.kept {
			groups[i] = residency.Group{Bytes: g.bytes(0), Seldom: g.seldom}
		}
	}
	budget := b.budget() - s.keptBytes()
	p, err := residency.Decide(groups, budget, b.offload)
	if b.streaming() && b.offload != residency.None && (err != nil || p.Slot > 0) {
		return residency.Decide(groups, budget+b.ring.bytes(), residency.Stream)
	}
	return p, err
}

// keptBytes is what is never streamed.
func (s *set) keptBytes() int {
	sum := 0
	for _, g := range s.groups {
		if g.kept {
			sum += g.bytes(0)
		}
	}
	return sum
}

// evictOthers makes the weights of all sets but keep leave the device, and
// reports whether there were any.
func (b *Backend) evictOthers(keep *set) bool {
	b.wait()
	any := false
	for _, s := range b.sets {
		if s == keep || !s.decided {
			continue
		}
		any = true
		for _, g := range s.groups {
			b.ring.leave(g)
			g.evict()
		}
		s.decided, s.committed = false, 0
	}
	if any {
		b.ring.release()
	}
	return any
}

// dissolve forgets an empty set.
func (b *Backend) dissolve(s *set) {
	b.sets = slices.DeleteFunc(b.sets, func(other *set) bool { return other == s })
	if b.binding == s {
		b.binding = nil
	}
	b.shrinkRing()
}

// streaming reports whether any weights pass through the ring.
func (b *Backend) streaming() bool { return b.ring.bytes() > 0 }

// shrinkRing gives the ring back when nobody streams.
func (b *Backend) shrinkRing() {
	for _, s := range b.sets {
		for _, g := range s.groups {
			if g.streamed != nil {
				return
			}
		}
	}
	b.ring.release()
}

// makeRoom makes weights leave where bytes of something else would not fit
// beside what they were promised; they are placed anew when they are needed.
func (b *Backend) makeRoom(bytes int) {
	if b.budget() >= bytes || len(b.sets) == 0 {
		return
	}
	b.evictOthers(nil)
}

var _ tensor.Group = (*group)(nil)
