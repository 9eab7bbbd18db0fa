//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"runtime"
	"sync"

	"github.com/mumax/3/cuda/cu"
)

// Context is a device in use.
type Context struct{ handle cu.Context }

// blocking makes a thread that waits for the card sleep, not spin. cu's
// CTX_BLOCKING_SYNC has the value of another flag.
const blocking = uint(C.CU_CTX_SCHED_BLOCKING_SYNC)

// NewContext readies the device with this number.
func NewContext(ordinal int) (*Context, error) {
	c := &Context{}
	t := newThread()
	defer t.Close()
	err := t.Do("ready the card", func() { c.handle = cu.CtxCreate(blocking, cu.DeviceGet(ordinal)) })
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close destroys the context and all that lives in it. Its threads have been
// closed.
func (c *Context) Close() error {
	return try("leave the card", func() { c.handle.Destroy() })
}

// Thread is an operating system thread on which a context is current. The
// driver keeps contexts per thread, and goroutines move between threads.
type Thread struct {
	work chan func()
	once sync.Once
}

func newThread() *Thread {
	t := &Thread{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range t.work {
			f()
		}
	}()
	return t
}

// NewThread makes c current on a thread of its own.
func (c *Context) NewThread() (*Thread, error) {
	t := newThread()
	if err := t.Do("use the card", c.handle.SetCurrent); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// Do runs f on the thread and waits for it. A call of the driver that fails in
// it ends f and becomes an *Error; any other panic is the caller's.
func (t *Thread) Do(doing string, f func()) error {
	var err error
	var panicked any
	done := make(chan struct{})
	t.work <- func() {
		defer close(done)
		defer func() { panicked = recover() }()
		err = try(doing, f)
	}
	<-done
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// Close ends the thread.
func (t *Thread) Close() { t.once.Do(func() { close(t.work) }) }
