//go:build cuda

package cuda

// #cgo LDFLAGS: -ldl
// #include "cublaslt.h"
import "C"

import (
	"fmt"
	"unsafe"

	"taca/internal/tensor"
)

// cublas is cuBLASLt on one device, and the plans it has made.
type cublas struct {
	handle unsafe.Pointer
	shapes []C.lt_shape // without a batch; a command names its shape by index
	ids    map[C.lt_shape]int
	plans  map[C.lt_shape]*C.lt_plan // nil where a batch is not supported
	memory *segment                  // its workspace
}

// open finds the library. It runs on the driver's thread.
func (c *cublas) open() error {
	var why *C.char
	c.ids, c.plans = map[C.lt_shape]int{}, map[C.lt_shape]*C.lt_plan{}
	if status := C.lt_open(&c.handle, &why); status != 0 {
		c.handle = nil
		return &tensor.DeviceError{Err: fmt.Errorf("open cuBLASLt 12: %s; install the CUDA 12 runtime's libcublas "+
			"(or pip install nvidia-cublas-cu12) and add the folder of libcublasLt.so.12 to LD_LIBRARY_PATH, or use --device cpu", C.GoString(why))}
	}
	return nil
}

// version is the library's: 120901 is 12.9.1.
func (c *cublas) version() int { return int(C.lt_version()) }

// shape is the number of a shape.
func (c *cublas) shape(s C.lt_shape) int {
	id, ok := c.ids[s]
	if !ok {
		id = len(c.shapes)
		c.shapes, c.ids[s] = append(c.shapes, s), id
	}
	return id
}

// plan finds an algorithm, once per shape.
func (c *cublas) plan(s C.lt_shape) (*C.lt_plan, error) {
	if p, ok := c.plans[s]; ok {
		return p, nil
	}
	var p *C.lt_plan
	status := C.lt_make(c.handle, &s, C.size_t(c.memory.bytes), &p)
	if status != 0 && s.batch == 1 {
		return nil, fmt.Errorf("cuBLASLt finds no way to multiply %d×%d by %d×%d: %s", s.n, s.k, s.k, s.m, C.GoString(C.lt_status(status)))
	}
	c.plans[s] = p
	return p, nil
}

// close forgets all plans. It runs on the driver's thread.
func (c *cublas) close() {
	for _, p := range c.plans {
		if p != nil {
			C.lt_drop(p)
		}
	}
	if c.handle != nil {
		C.lt_close(c.handle)
	}
	c.handle, c.plans = nil, nil
}
