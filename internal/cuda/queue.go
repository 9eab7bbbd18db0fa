//go:build cuda

package cuda

import (
	"unsafe"

	"github.com/mumax/3/cuda/cu"

	"taca/internal/cuda/driver"
)

// queue is commands that verbs have asked for and the device has not been
// told. All of a command is in words, so that two lists are the same work
// exactly if their words are equal.
type queue struct {
	commands []command
	words    []uint64
}

// command is one entry of a queue: words[lo:hi].
type command struct {
	kind   kind
	lo, hi int
}

// kind is what a command does; its first word.
type kind uint64

const (
	runKernel  kind = iota // function, x, y, threads, shared, parameters...
	runProduct             // see product.go
	copyIn                 // device address, pinned host address, bytes
	copyOut                // pinned host address, device address, bytes
	clearBytes             // device address, bytes
)

// kernel is a function of the loaded images.
type kernel struct {
	function cu.Function
	shared   int // dynamic shared memory it has been allowed
}

func (b *Backend) enqueue(k kind, words ...[]uint64) {
	q := &b.queue
	lo := len(q.words)
	q.words = append(q.words, uint64(k))
	for _, w := range words {
		q.words = append(q.words, w...)
	}
	q.commands = append(q.commands, command{k, lo, len(q.words)})
}

// launch asks for a kernel. params is one of taca.h's structs, as words.
func (b *Backend) launch(name string, g geometry, params []uint64) {
	if b.err != nil {
		return
	}
	id, ok := b.kernelIDs[name]
	if !ok {
		id = b.load(name)
	}
	b.enqueue(runKernel, []uint64{uint64(id), uint64(g.x), uint64(max(g.y, 1)), uint64(g.threads), uint64(g.shared)}, params)
}

// load finds a kernel in the images.
func (b *Backend) load(name string) int {
	k := kernel{shared: 48 << 10}
	b.fail(b.do("find kernel "+name, func() { k.function = b.module.GetFunction(name) }))
	id := len(b.kernels)
	b.kernels, b.kernelIDs[name] = append(b.kernels, k), id
	return id
}

// zero asks for zeros.
func (b *Backend) zero(at uint64, bytes int) {
	b.enqueue(clearBytes, []uint64{at, uint64(bytes)})
}

// flush tells the device what has been asked for, without waiting.
func (b *Backend) flush() {
	if len(b.queue.commands) > 0 && b.err == nil {
		b.fail(b.do("run the model", b.run))
	}
	b.queue.commands, b.queue.words = b.queue.commands[:0], b.queue.words[:0]
	b.ring.passing = false
}

// wait flushes and waits until the device has finished everything.
func (b *Backend) wait() {
	b.flush()
	if b.err == nil {
		b.fail(b.do("run the model", func() { b.stream.Synchronize() }))
	}
	b.staging.reset()
}

// issue tells the device commands [lo, hi). It runs on the driver's thread.
func (b *Backend) issue(lo, hi int) {
	for _, c := range b.queue.commands[lo:hi] {
		w := b.queue.words[c.lo+1 : c.hi]
		switch c.kind {
		case runKernel:
			b.issueKernel(w)
		case runProduct:
			b.issueProduct(w)
		case copyIn:
			cu.MemcpyHtoDAsync(cu.DevicePtr(w[0]), pinned(w[1]), int64(w[2]), b.stream)
		case copyOut:
			cu.MemcpyDtoHAsync(pinned(w[0]), cu.DevicePtr(w[1]), int64(w[2]), b.stream)
		case clearBytes:
			cu.MemsetD8Async(cu.DevicePtr(w[0]), 0, int64(w[1]), b.stream)
		}
	}
}

func (b *Backend) issueKernel(w []uint64) {
	k := &b.kernels[w[0]]
	shared := int(w[4])
	if shared > k.shared {
		driver.SetMaxDynamicShared(k.function, shared)
		k.shared = shared
	}
	driver.Launch(k.function, int(w[1]), int(w[2]), int(w[3]), shared, b.stream, w[5:])
}

// pinned is a host address that went through a list of words. It is C memory,
// which the collector neither moves nor frees.
func pinned(address uint64) unsafe.Pointer {
	return *(*unsafe.Pointer)(unsafe.Pointer(&address))
}
