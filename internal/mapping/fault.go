package mapping

// #cgo CFLAGS: -std=c11 -O2 -Wall -Wextra -D_DEFAULT_SOURCE
// #include "fault.h"
import "C"

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// guard looks after the pages of a mapping. Where one cannot be read, since its
// file was cut short or its disk fails, the kernel sends SIGBUS, which would end
// the program, within C beyond any recovery. Instead the rest of the mapping
// becomes zeros, whoever reads it reads on, and Check tells.
type guard struct{ pages *C.taca_range }

// newGuard is called with open locked.
func newGuard(data []byte) (guard, error) {
	pages := C.taca_guard(unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
	if pages == nil {
		return guard{}, errors.New("cannot watch its pages")
	}
	return guard{pages}, nil
}

func (g guard) lost() bool { return C.taca_lost(g.pages) != 0 }

// release is called with open locked.
func (g guard) release() { C.taca_release(g.pages) }

// Changed is a file that was changed while it was mapped: what was read of it
// is worth nothing.
type Changed struct {
	Path    string
	Problem string
}

// Error names the file and says what to do.
func (c *Changed) Error() string {
	return c.Path + ": it " + c.Problem + " while it was in use: leave a model's files alone until taca has ended, and run it again"
}

// Check is a *Changed where a file that is mapped has been changed, or cannot be
// read any more. It is to be asked once what was read is about to be used.
func Check() error {
	open.Lock()
	defer open.Unlock()
	for _, f := range open.files {
		if err := f.check(); err != nil {
			return err
		}
	}
	return nil
}

// Check is that of this file.
func (f *File) Check() error {
	open.Lock()
	defer open.Unlock()
	return f.check()
}

// check compares what the file system says of the file now with what it said
// when it was mapped. A time can be set by anybody, so it proves nothing, but
// it changes with whatever is written by accident.
func (f *File) check() error {
	if f.data == nil {
		return nil
	}
	now, err := f.identity()
	switch {
	case err != nil:
		return &Changed{f.disk.Name(), "could not be asked about (" + err.Error() + ")"}
	case now.Size < int64(len(f.data)):
		return &Changed{f.disk.Name(), "was cut short"}
	case now.Size != f.mapped.Size || !now.Modified.Equal(f.mapped.Modified):
		return &Changed{f.disk.Name(), "was changed"}
	case f.guard.lost():
		return &Changed{f.disk.Name(), "could not be read (" + unix.EIO.Error() + ", or it was cut short and is whole again)"}
	}
	return nil
}
