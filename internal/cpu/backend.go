package cpu

// #include "kernels.h"
import "C"

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"taca/internal/mapping"
	"taca/internal/tensor"
)

// Backend is the processor this program runs on. It is used by one goroutine
// at a time.
type Backend struct {
	kernels *kernels
	pool    *pool
	scratch *memory
	arena   tensor.Arena
	spilled []spill
	inner   *memory // see innerProduct
	packed  packing
	owned   map[*memory]bool
	weights residence
	err     error
}

// spill is scratch that found no room in the arena, and the height at which it
// was taken.
type spill struct {
	at  tensor.Mark
	mem *memory
}

var _ tensor.Backend = (*Backend)(nil)

// Open starts threads workers (all processors where 0) with the best
// instruction set the machine has, or the one TACA_ISA names.
func Open(threads int) (*Backend, error) {
	k, err := choose(os.Getenv("TACA_ISA"))
	if err != nil {
		return nil, err
	}
	return open(threads, k)
}

func open(threads int, k *kernels) (*Backend, error) {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	p, err := newPool(threads)
	if err != nil {
		return nil, err
	}
	return &Backend{kernels: k, pool: p, scratch: &memory{}, inner: &memory{}, packed: packing{memory: &memory{}},
		owned: map[*memory]bool{}}, nil
}

// Name says which instruction set runs on how many threads.
func (b *Backend) Name() string {
	return fmt.Sprintf("cpu %s, %d threads", b.kernels.name, b.pool.workers)
}

// Arithmetic is the instruction set, and the compiler that ordered and fused
// the operations. Threads share out rows and columns, and never a sum.
func (b *Backend) Arithmetic() string {
	return fmt.Sprintf("cpu %s, %s, C compiler %s", b.kernels.name, runtime.GOARCH, C.GoString(C.taca_compiler()))
}

// New is zeroed memory until Free.
func (b *Backend) New(rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	m, err := pages(rows * cols * d.Size())
	if err != nil {
		return tensor.Tensor{}, err
	}
	b.owned[m] = true
	b.forget() // an address may come again
	return tensor.Tensor{Rows: rows, Cols: cols, Stride: cols, DType: d, Mem: m}, nil
}

// Free gives back memory from New.
func (b *Backend) Free(t tensor.Tensor) {
	if m, ok := t.Mem.(*memory); ok && b.owned[m] {
		delete(b.owned, m)
		_ = m.release() // unmapping our own pages cannot fail
	}
}

// Reserve sets the size of the scratch arena.
func (b *Backend) Reserve(bytes int) error {
	if bytes <= len(b.scratch.data) {
		return nil
	}
	m, err := pages(bytes)
	if err != nil {
		return err
	}
	old := b.scratch
	b.scratch, b.weights.placed = m, false
	return old.release()
}

// Scratch takes memory from the arena. What the reserve has no room for gets
// pages of its own until Release, which is right but slower.
func (b *Backend) Scratch(rows, cols int, d tensor.DType) tensor.Tensor {
	stride := tensor.ScratchStride(rows, cols, d)
	bytes := rows * stride * d.Size()
	at, below := b.arena.Take(bytes), b.arena.Height()
	t := tensor.Tensor{Rows: rows, Cols: cols, Stride: stride, Offset: at / d.Size(), DType: d, Mem: b.scratch}
	if below > len(b.scratch.data) {
		m, err := pages(bytes)
		if err != nil {
			b.fail(err)
			m = &memory{}
		}
		b.spilled = append(b.spilled, spill{tensor.Mark(at), m})
		t.Mem, t.Offset = m, 0
	}
	return t
}

// Mark is the height of the arena.
func (b *Backend) Mark() tensor.Mark { return b.arena.Mark() }

// Release frees scratch taken since m.
func (b *Backend) Release(m tensor.Mark) {
	b.arena.Release(m)
	for n := len(b.spilled); n > 0 && b.spilled[n-1].at >= m; n-- {
		_ = b.spilled[n-1].mem.release() // unmapping our own pages cannot fail
		b.spilled = b.spilled[:n-1]
	}
}

// Observe ignores the tensor.
func (b *Backend) Observe(string, tensor.Tensor) {}

// Err is the first refusal of memory in the middle of a verb, or a file of
// weights that was changed while it was read; arithmetic does not fail.
func (b *Backend) Err() error { return cmp.Or(b.err, mapping.Check()) }

func (b *Backend) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// Sync returns at once: every verb has finished when it returns.
func (b *Backend) Sync() error { return b.Err() }

// Close stops the workers and frees all memory.
func (b *Backend) Close() error {
	b.weights.close()
	errs := []error{b.pool.close(), b.scratch.release(), b.inner.release(), b.packed.memory.release()}
	for _, s := range b.spilled {
		errs = append(errs, s.mem.release())
	}
	for m := range b.owned {
		errs = append(errs, m.release())
	}
	b.owned, b.spilled = nil, nil
	return errors.Join(errs...)
}

// run does all units of a verb on the pool; args is one of the structs of
// kernels.h.
func (b *Backend) run(v verb, args unsafe.Pointer, units int, c claims) {
	if b.err != nil {
		return
	}
	if v != C.TACA_LINEAR && v != C.TACA_PACK {
		b.forget()
	}
	b.pool.run(units, c, func(lo, hi int, work unsafe.Pointer) {
		b.kernels.call(v, args, lo, hi, work)
	})
}
