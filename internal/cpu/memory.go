package cpu

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"taca/internal/tensor"
)

// memory is bytes a tensor lives in: anonymous pages of our own, or a window
// of somebody's mapping.
type memory struct {
	data   []byte
	mapped bool // ours to unmap
}

// Bytes is the size of the memory.
func (m *memory) Bytes() int { return len(m.data) }

// pages takes zeroed, page-aligned memory outside the Go heap.
func pages(bytes int) (*memory, error) {
	if bytes == 0 {
		return &memory{}, nil
	}
	data, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, &tensor.DeviceError{Err: fmt.Errorf("cpu: %.1f GiB of memory refused: %w; use a smaller picture or --dtype bf16", float64(bytes)/(1<<30), err)}
	}
	_ = unix.Madvise(data, unix.MADV_HUGEPAGE) // a hint: without it everything works, slower
	return &memory{data: data, mapped: true}, nil
}

func (m *memory) release() error {
	if !m.mapped {
		return nil
	}
	m.mapped = false
	return unix.Munmap(m.data)
}

// address is where element 0 of t lies.
func address(t tensor.Tensor) uintptr {
	m := t.Mem.(*memory)
	if len(m.data) == 0 {
		return 0
	}
	return uintptr(unsafe.Pointer(unsafe.SliceData(m.data))) + uintptr(t.Offset*t.DType.Size())
}
