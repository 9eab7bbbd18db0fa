//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"github.com/mumax/3/cuda/cu"

	"taca/internal/cuda/driver"
	"taca/internal/residency"
	"taca/internal/tensor"
)

// memory is bytes of the device that a tensor lives in.
type memory struct {
	segment *segment
	offset  int // from the start of the segment
	bytes   int
	home    *group // of weights; nil for state and scratch
}

// segment is one allocation. Of streamed weights the address changes with the
// slot of the ring they are in, and is 0 while they are in none.
type segment struct {
	at    cu.DevicePtr
	bytes int
}

// Bytes is the size of the memory.
func (m *memory) Bytes() int { return m.bytes }

// address is where element 0 of t lies on the device.
func address(t tensor.Tensor) uint64 {
	m := t.Mem.(*memory)
	if m.home != nil {
		m.home.settle()
	}
	if m.segment == nil || m.segment.at == 0 {
		if m.bytes == 0 || m.home != nil && m.home.of.err != nil {
			return 0
		}
		panic(fmt.Sprintf("cuda: weights of %v are used without Need", t))
	}
	return uint64(m.segment.at) + uint64(m.offset+t.Offset*t.DType.Size())
}

// alloc takes device memory for the purpose it names.
func (b *Backend) alloc(bytes int, purpose string) (*segment, error) {
	if bytes == 0 {
		return &segment{}, nil
	}
	if b.used+bytes > b.capacity && b.limited {
		return nil, b.outOfMemory(bytes, purpose, b.capacity-b.used)
	}
	s := &segment{bytes: bytes}
	free := int64(0)
	err := b.thread.Do("allocate memory", func() {
		free, _ = cu.MemGetInfo()
		s.at = cu.MemAlloc(int64(bytes))
	})
	var refused *driver.Error
	if errors.As(err, &refused) && refused.OutOfMemory() {
		return nil, b.outOfMemory(bytes, purpose, int(free))
	}
	if err != nil {
		return nil, &tensor.DeviceError{Err: err}
	}
	b.used += bytes
	return s, nil
}

// outOfMemory says what did not fit and which flags help.
func (b *Backend) outOfMemory(bytes int, purpose string, free int) error {
	what := "free"
	if b.limited {
		what = "left of --vram-limit"
	}
	return &tensor.DeviceError{Err: fmt.Errorf("%s: %s for %s do not fit: %s %s, %s in use by this run; "+
		"use --offload stream, a smaller picture, or another device (taca devices)",
		b.device.Name, residency.Text(bytes), purpose, residency.Text(free), what, residency.Text(b.used))}
}

// free gives a segment back. Commands that use it must have finished.
func (b *Backend) free(s *segment) {
	if s == nil || s.at == 0 {
		return
	}
	at := s.at
	s.at = 0
	b.used -= s.bytes
	b.fail(b.thread.Do("free memory", func() { cu.MemFree(at) }))
}

// New is zeroed memory until Free.
func (b *Backend) New(rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	bytes := rows * cols * d.Size()
	b.makeRoom(bytes)
	s, err := b.alloc(bytes, "latents and conditioning")
	if err != nil {
		return tensor.Tensor{}, err
	}
	if bytes > 0 {
		b.zero(uint64(s.at), bytes)
	}
	m := &memory{segment: s, bytes: bytes}
	b.owned[m] = true
	return tensor.Tensor{Rows: rows, Cols: cols, Stride: cols, DType: d, Mem: m}, nil
}

// Free gives back memory from New.
func (b *Backend) Free(t tensor.Tensor) {
	m, ok := t.Mem.(*memory)
	if !ok || !b.owned[m] {
		return
	}
	delete(b.owned, m)
	b.wait()
	b.free(m.segment)
}

// Capacity is the bytes of device memory this run may use.
func (b *Backend) Capacity() int { return b.capacity }
