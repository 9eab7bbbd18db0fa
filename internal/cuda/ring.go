//go:build cuda

package cuda

import (
	"unsafe"

	"github.com/mumax/3/cuda/cu"

	"taca/internal/cuda/driver"
	"taca/internal/residency"
	"taca/internal/tensor"
)

// ring is the memory that streamed weights pass through: while the device
// computes with the group in one slot, the next group is copied to the other.
type ring struct {
	of      *Backend
	slots   []*slot
	current *group // whose weights the verbs use now
	passing bool   // verbs that have not been issued may use them
}

// slot is room for one group.
type slot struct {
	memory *segment
	holds  *group
	ready  driver.Event // the copies to it are done; recorded on the copy stream
	free   driver.Event // its last user is done; recorded on the compute stream
	used   bool         // free has been recorded since the last copy
}

// fetch is copies the copier has been asked for.
type fetch struct{ done chan error }

// bytes is what the ring takes.
func (r *ring) bytes() int {
	sum := 0
	for _, s := range r.slots {
		sum += s.memory.bytes
	}
	return sum
}

// grow makes every slot at least this large. What they hold is lost.
func (r *ring) grow(bytes int) error {
	if len(r.slots) > 0 && r.slots[0].memory.bytes >= bytes {
		return nil
	}
	r.release()
	for range residency.Slots {
		m, err := r.of.alloc(bytes, "weights on their way through")
		if err != nil {
			r.release()
			return err
		}
		s := &slot{memory: m}
		r.slots = append(r.slots, s)
		err = r.of.thread.Do("make events", func() { s.ready, s.free = driver.NewEvent(), driver.NewEvent() })
		if err != nil {
			return err
		}
	}
	return nil
}

// release empties and frees all slots.
func (r *ring) release() {
	if len(r.slots) == 0 {
		return
	}
	r.of.wait()
	r.quiesce()
	for _, s := range r.slots {
		r.of.free(s.memory)
		r.of.fail(r.of.thread.Do("destroy events", func() { s.ready.Destroy(); s.free.Destroy() }))
	}
	r.slots, r.current = nil, nil
}

// quiesce empties all slots and waits for the copies to them: freeing memory
// need not wait for what another stream does to it.
func (r *ring) quiesce() {
	for _, s := range r.slots {
		if s.holds != nil {
			r.leave(s.holds)
		}
	}
	if len(r.slots) > 0 {
		c := r.of.copier
		r.of.fail(c.thread.Do("wait for copies", func() { c.stream.Synchronize() }))
	}
}

// leave makes sure that no slot holds g and nothing of it is under way.
func (r *ring) leave(g *group) {
	if g.fetching != nil {
		r.of.fail(<-g.fetching.done)
		g.fetching = nil
	}
	if g.slot != nil {
		g.slot.holds, g.slot = nil, nil
		g.streamed.at = 0
	}
	if r.current == g {
		r.current = nil
	}
}

// use makes the verbs that follow wait for g's weights, and starts to bring
// the next group that is not on the device to the slot that has become free.
func (r *ring) use(g *group) error {
	if r.current == g {
		r.passing = true
		return nil
	}
	b := r.of
	b.flush() // the last use of the other slot is behind us
	r.passing = true
	if last := r.current; last != nil && last.slot != nil {
		s := last.slot
		if err := b.thread.Do("record an event", func() { s.free.Record(b.stream) }); err != nil {
			return err
		}
		s.used = true
	}
	r.current = g
	if g.slot == nil {
		r.fetch(g)
	}
	if g.fetching != nil {
		err := <-g.fetching.done
		g.fetching = nil
		if err != nil {
			return err
		}
		ready := g.slot.ready
		if err := b.thread.Do("wait for weights", func() { driver.WaitEvent(b.stream, ready) }); err != nil {
			return err
		}
	}
	if next := r.following(g); next != nil {
		r.fetch(next)
	}
	return nil
}

// following is the next group after g that has to be fetched, or nil.
func (r *ring) following(g *group) *group {
	steps := 0 // groups may lead in a circle that g is not part of
	for n := g.next; n != nil && n != g && steps < len(g.set.groups); n, steps = n.next, steps+1 {
		if n.settle(); n.streamed != nil {
			if n.slot != nil {
				return nil
			}
			return n
		}
	}
	return nil
}

// fetch starts to copy g's weights to a slot that is not in use.
func (r *ring) fetch(g *group) {
	b := r.of
	s := r.slots[0]
	if s.holds != nil && s.holds == r.current {
		s = r.slots[1]
	}
	if s.holds != nil {
		r.leave(s.holds)
	}
	s.holds, g.slot = g, s
	g.streamed.at = s.memory.at
	f := &fetch{done: make(chan error, 1)}
	g.fetching = f
	wait := s.used
	s.used = false
	through := make([]member, 0, len(g.members)) // those bound after the group was placed stay on the device
	for _, m := range g.members {
		if m.mem.segment == g.streamed {
			through = append(through, m)
		}
	}
	go func() { f.done <- b.copier.fetch(s, through, wait) }()
}

// copier brings weights from the checkpoint's mapping to the device, on a
// stream and a thread of its own, through page-locked memory.
type copier struct {
	thread *driver.Thread
	stream cu.Stream
	chunks []chunk
	next   int
	loaded driver.Event
	main   *Backend
}

// chunk is page-locked memory for one copy under way.
type chunk struct {
	at   uint64
	left driver.Event // its copy is done
	busy bool
}

const (
	chunkBytes = 8 << 20
	chunkCount = 4
)

// load copies resident weights, and makes the compute stream wait for them.
func (c *copier) load(to *segment, members []member) error {
	err := c.thread.Do("copy weights to the device", func() {
		c.copy(uint64(to.at), members)
		c.loaded.Record(c.stream)
	})
	if err != nil {
		return err
	}
	return c.main.thread.Do("wait for weights", func() { driver.WaitEvent(c.main.stream, c.loaded) })
}

// fetch copies streamed weights to a slot, after its last user has finished.
func (c *copier) fetch(s *slot, members []member, wait bool) error {
	return c.thread.Do("copy weights to the device", func() {
		if wait {
			driver.WaitEvent(c.stream, s.free)
		}
		c.copy(uint64(s.memory.at), members)
		s.ready.Record(c.stream)
	})
}

// copy sends members in pieces to their places from address to on.
func (c *copier) copy(to uint64, members []member) {
	if c.chunks == nil {
		for range chunkCount {
			c.chunks = append(c.chunks, chunk{at: uint64(uintptr(driver.HostAlloc(chunkBytes))), left: driver.NewEvent()})
		}
	}
	for _, m := range members {
		for lo := 0; lo < len(m.raw); lo += chunkBytes {
			piece := m.raw[lo:min(lo+chunkBytes, len(m.raw))]
			k := &c.chunks[c.next%len(c.chunks)]
			c.next++
			if k.busy {
				k.left.Synchronize()
			}
			copy(unsafe.Slice((*byte)(pinned(k.at)), len(piece)), piece)
			cu.MemcpyHtoDAsync(cu.DevicePtr(to+uint64(m.mem.offset+lo)), pinned(k.at), int64(len(piece)), c.stream)
			k.left.Record(c.stream)
			k.busy = true
		}
	}
}

// close frees the page-locked memory. All copies have finished.
func (c *copier) close() error {
	err := c.thread.Do("free page-locked memory", func() {
		if c.stream != 0 {
			c.stream.Synchronize()
		}
		for _, k := range c.chunks {
			driver.HostFree(pinned(k.at))
			k.left.Destroy()
		}
		c.chunks = nil
		c.loaded.Destroy()
		if c.stream != 0 {
			c.stream.Destroy()
		}
	})
	c.thread.Close()
	if err != nil {
		return &tensor.DeviceError{Err: err}
	}
	return nil
}
