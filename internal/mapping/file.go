package mapping

import (
	"os"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// File is a file in memory. Its pages are shared with the kernel's cache and
// never written, so giving them back loses nothing: they are read again.
type File struct {
	disk   *os.File
	mapped Identity     // of the file when it was
	lock   sync.RWMutex // held while the kernel is told about pages of data
	data   []byte       // nil once closed
	guard  guard
}

// open is all files that are mapped. A window of a tensor is a bare slice by
// the time a backend has it; this is how its file is found again.
var open struct {
	sync.Mutex
	files []*File
}

// Map maps the first size bytes of a file, which it closes in the end, also
// where it cannot be mapped.
func Map(disk *os.File, size int) (*File, error) {
	f := &File{disk: disk}
	var err error
	if f.mapped, err = f.identity(); err == nil {
		f.data, err = unix.Mmap(int(disk.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	}
	if err != nil {
		disk.Close()
		return nil, err
	}
	open.Lock()
	defer open.Unlock()
	if f.guard, err = newGuard(f.data); err != nil {
		_ = unix.Munmap(f.data) // it was just mapped
		disk.Close()
		return nil, err
	}
	open.files = append(open.files, f)
	return f, nil
}

// Bytes is the mapping. It must not be used after Close.
func (f *File) Bytes() []byte { return f.data }

// Close unmaps the file. Ranges of it do nothing from now on.
func (f *File) Close() error {
	open.Lock()
	defer open.Unlock()
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.data == nil {
		return nil
	}
	open.files = slices.DeleteFunc(open.files, func(other *File) bool { return other == f })
	f.guard.release()
	err := unix.Munmap(f.data)
	f.data = nil
	f.disk.Close() // it was only read
	return err
}

// Find is the range of a mapped file that window is, if it is one.
func Find(window []byte) (Range, bool) {
	if len(window) == 0 {
		return Range{}, false
	}
	at := address(window)
	open.Lock()
	defer open.Unlock()
	for _, f := range open.files {
		start := address(f.data)
		if at >= start && at+uintptr(len(window)) <= start+uintptr(len(f.data)) {
			lo := int(at - start)
			return Range{f, lo, lo + len(window)}, true
		}
	}
	return Range{}, false
}

// advise tells the kernel something about bytes lo to hi, and reports whether
// the file is still mapped. Where the kernel does not follow, all is as it was.
func (f *File) advise(lo, hi, advice int) bool {
	f.lock.RLock()
	defer f.lock.RUnlock()
	if f.data == nil {
		return false
	}
	if lo < hi {
		_ = unix.Madvise(f.data[lo:hi], advice)
	}
	return true
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
