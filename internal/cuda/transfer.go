//go:build cuda

package cuda

import (
	"math"
	"unsafe"

	"taca/internal/cuda/driver"
	"taca/internal/residency"
	"taca/internal/tensor"
)

// staging is page-locked host memory on the way to or from the device. It is
// taken from the bottom after every wait, so that the same uploads of the next
// step pass through the same addresses, and a replayed graph finds them there.
type staging struct {
	at     unsafe.Pointer
	bytes  int
	height int
}

// leastStaging is the first size of staging memory; it doubles as needed.
const leastStaging = 1 << 20

func (s *staging) reset() { s.height = 0 }

// stage takes host memory. Where there is no room left it waits for what is
// under way.
func (b *Backend) stage(bytes int) unsafe.Pointer {
	s := &b.staging
	if s.height+bytes > s.bytes {
		b.wait()
		if bytes > s.bytes {
			b.growStaging(bytes)
		}
	}
	if b.err != nil {
		return nil
	}
	at := unsafe.Add(s.at, s.height)
	s.height += residency.Aligned(bytes)
	return at
}

func (b *Backend) growStaging(bytes int) {
	s := &b.staging
	grown := max(leastStaging, s.bytes)
	for grown < bytes {
		grown *= 2
	}
	err := b.thread.Do("take page-locked memory", func() {
		if s.at != nil {
			driver.HostFree(s.at)
			s.at, s.bytes = nil, 0
		}
		s.at = driver.HostAlloc(grown)
	})
	if err != nil {
		b.fail(err)
		return
	}
	s.bytes = grown
}

// Upload copies through staging memory; src may be reused at once.
func (b *Backend) Upload(dst tensor.Tensor, src []float32) {
	tensor.CheckHost("Upload", dst, len(src))
	if len(src) == 0 || b.err != nil {
		return
	}
	b.temporary.reset()
	at := b.stage(4 * len(src))
	if at == nil {
		return
	}
	copy(unsafe.Slice((*float32)(at), len(src)), src)
	packed := dst
	if !dense(dst) {
		packed = b.temporaryTensor(dst.Rows, dst.Cols, tensor.F32)
	}
	b.enqueue(copyIn, []uint64{address(packed), uint64(uintptr(at)), uint64(4 * len(src))})
	if !dense(dst) {
		b.Copy(dst, packed)
	}
}

// Download waits for everything before it.
func (b *Backend) Download(dst []float32, src tensor.Tensor) {
	tensor.CheckHost("Download", src, len(dst))
	if len(dst) == 0 || b.err != nil {
		return
	}
	b.temporary.reset()
	packed := src
	if !dense(src) {
		packed = b.temporaryTensor(src.Rows, src.Cols, tensor.F32)
		b.Copy(packed, src)
	}
	at := b.stage(4 * len(dst))
	if at == nil {
		return
	}
	b.enqueue(copyOut, []uint64{uint64(uintptr(at)), address(packed), uint64(4 * len(dst))})
	b.wait()
	if b.err != nil {
		nan(dst)
		return
	}
	copy(dst, unsafe.Slice((*float32)(at), len(dst)))
}

// nan makes sure that nobody takes what a failed device left for a result.
func nan(dst []float32) {
	for i := range dst {
		dst[i] = float32(math.NaN())
	}
}

// dense reports whether t lies in memory as the host has it.
func dense(t tensor.Tensor) bool {
	return t.DType == tensor.F32 && (t.Stride == t.Cols || t.Rows == 1)
}

// stageInts brings ids to the device for one verb.
func (b *Backend) stageInts(ids []int32) uint64 {
	at := b.stage(4 * len(ids))
	if at == nil {
		return 0
	}
	copy(unsafe.Slice((*int32)(at), len(ids)), ids)
	b.temporary.reset()
	there := b.workspace(4 * len(ids))
	b.enqueue(copyIn, []uint64{there, uint64(uintptr(at)), uint64(4 * len(ids))})
	return there
}
