//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"unsafe"

	"github.com/mumax/3/cuda/cu"
)

// handle is a driver's object as C knows it; cu keeps them as integers.
func handle[T any](h uintptr) T { return *(*T)(unsafe.Pointer(&h)) }

func function(f cu.Function) C.CUfunction { return handle[C.CUfunction](uintptr(f)) }
func stream(s cu.Stream) C.CUstream       { return handle[C.CUstream](uintptr(s)) }

// SetMaxDynamicShared lets blocks of f have more than 48 KiB of dynamic shared
// memory.
func SetMaxDynamicShared(f cu.Function, bytes int) {
	check(C.cuFuncSetAttribute(function(f), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(bytes)))
}

// Launch puts a kernel on a stream. words is its one parameter, a struct of
// 8-byte fields: cu copies 8 bytes a parameter into one array, and the driver
// reads the struct from its beginning.
func Launch(f cu.Function, x, y, threads, shared int, s cu.Stream, words []uint64) {
	parameters := make([]unsafe.Pointer, len(words))
	for i := range words {
		parameters[i] = unsafe.Pointer(&words[i])
	}
	cu.LaunchKernel(f, x, y, 1, threads, 1, 1, shared, s, parameters)
}

// NewStream is a stream that does not wait for the default one.
func NewStream() cu.Stream {
	var s C.CUstream
	check(C.cuStreamCreate(&s, C.CU_STREAM_NON_BLOCKING))
	return cu.Stream(uintptr(unsafe.Pointer(s)))
}

// ModuleLoad loads an image: machine code for several cards, or PTX.
func ModuleLoad(image []byte) cu.Module { return cu.ModuleLoadData(string(image)) }

// ModuleUnload gives an image's memory back.
func ModuleUnload(m cu.Module) { check(C.cuModuleUnload(handle[C.CUmodule](uintptr(m)))) }

// HostAlloc is page-locked memory, which the card reads and writes by itself.
func HostAlloc(bytes int) (at unsafe.Pointer) {
	defer func() {
		if r := recover(); r == cu.ERROR_OUT_OF_MEMORY { // the same result as a full card's
			panic(pageLocked)
		} else if r != nil {
			panic(r)
		}
	}()
	return cu.MemAllocHost(int64(bytes))
}

// HostFree gives it back.
func HostFree(at unsafe.Pointer) { cu.MemFreeHost(at) }

// Event is a point in a stream that others can wait for.
type Event struct{ event C.CUevent }

// NewEvent makes an event, which has no time, only an order. Who waits for it
// sleeps.
func NewEvent() Event {
	var e Event
	check(C.cuEventCreate(&e.event, C.CU_EVENT_DISABLE_TIMING|C.CU_EVENT_BLOCKING_SYNC))
	return e
}

// Record puts the event behind all that is on the stream.
func (e Event) Record(s cu.Stream) { check(C.cuEventRecord(e.event, stream(s))) }

// Synchronize waits on the host until the event has come.
func (e Event) Synchronize() { check(C.cuEventSynchronize(e.event)) }

// Destroy gives the event back; of one that was never made there is nothing to.
func (e Event) Destroy() {
	if e.event != nil {
		check(C.cuEventDestroy_v2(e.event))
	}
}

// WaitEvent makes what is put on a stream from now on wait for an event.
func WaitEvent(s cu.Stream, e Event) { check(C.cuStreamWaitEvent(stream(s), e.event, 0)) }
