//go:build cuda

package cuda

import (
	"github.com/mumax/3/cuda/cu"

	"taca/internal/residency"
	"taca/internal/tensor"
)

// spill is scratch that found no room in the arena, and the height at which it
// was taken.
type spill struct {
	at  tensor.Mark
	mem *memory
}

// Reserve makes the scratch arena at least this large.
//
// It is also the end of a model: what was bound until now is placed together,
// and what is bound from now on, a text encoder's weights, apart from it.
func (b *Backend) Reserve(bytes int) error {
	b.binding = nil
	if bytes <= b.scratch.bytes {
		return nil
	}
	b.wait()
	b.free(b.scratch)
	b.scratch = &segment{}
	b.makeRoom(bytes)
	s, err := b.alloc(bytes, "scratch")
	if err != nil {
		return err
	}
	b.scratch = s
	return nil
}

// Scratch takes memory from the arena, whose addresses are the same in every
// step: that is what lets a step be replayed. What the reserve has no room for
// gets memory of its own until Release, which is right but slower.
func (b *Backend) Scratch(rows, cols int, d tensor.DType) tensor.Tensor {
	bytes := rows * cols * d.Size()
	at, below := b.arena.Take(bytes), b.arena.Height()
	m := &memory{segment: b.scratch, offset: at, bytes: bytes}
	if below > b.scratch.bytes {
		s, err := b.alloc(bytes, "scratch beyond the reserve")
		if err != nil {
			b.fail(err)
			s = &segment{at: 0, bytes: bytes}
			m.bytes = 0
		}
		m.segment, m.offset = s, 0
		b.spilled = append(b.spilled, spill{tensor.Mark(at), m})
	}
	return tensor.Tensor{Rows: rows, Cols: cols, Stride: cols, DType: d, Mem: m}
}

// Mark is the height of the arena.
func (b *Backend) Mark() tensor.Mark { return b.arena.Mark() }

// Release frees scratch taken since m.
func (b *Backend) Release(m tensor.Mark) {
	b.arena.Release(m)
	n := len(b.spilled)
	for n > 0 && b.spilled[n-1].at >= m {
		n--
	}
	if n == len(b.spilled) {
		return
	}
	b.wait() // commands may still use it
	for _, s := range b.spilled[n:] {
		b.free(s.mem.segment)
	}
	b.spilled = b.spilled[:n]
}

// temporary is memory a verb needs beside its operands. Verbs run one after
// the other, so the next verb has the same memory again: it begins with reset.
type temporary struct {
	chunks []*segment
	chunk  int // in use
	height int // of it
}

// temporaryChunk is the least that is allocated at once.
const temporaryChunk = 16 << 20

func (t *temporary) reset() { t.chunk, t.height = 0, 0 }

// workspace is bytes of temporary memory, valid until the next verb resets it.
func (b *Backend) workspace(bytes int) uint64 {
	t := &b.temporary
	bytes = residency.Aligned(bytes)
	for ; t.chunk < len(t.chunks); t.chunk, t.height = t.chunk+1, 0 {
		if c := t.chunks[t.chunk]; t.height+bytes <= c.bytes {
			at := uint64(c.at) + uint64(t.height)
			t.height += bytes
			return at
		}
	}
	s, err := b.alloc(max(bytes, temporaryChunk), "temporary memory of a verb")
	if err != nil {
		b.fail(err)
		return 0
	}
	t.chunks = append(t.chunks, s)
	t.height = bytes
	return uint64(s.at)
}

// temporaryTensor is a matrix without gaps in workspace.
func (b *Backend) temporaryTensor(rows, cols int, d tensor.DType) tensor.Tensor {
	bytes := rows * cols * d.Size()
	at := b.workspace(bytes)
	if at == 0 { // refused: what follows has no effect
		bytes = 0
	}
	return tensor.Tensor{Rows: rows, Cols: cols, Stride: cols, DType: d,
		Mem: &memory{segment: &segment{at: cu.DevicePtr(at), bytes: bytes}, bytes: bytes}}
}
