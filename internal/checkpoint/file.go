package checkpoint

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"taca/internal/gguf"
	"taca/internal/mapping"
)

// File is one safetensors or GGUF file, mapped into memory. It is a Source.
type File struct {
	path     string
	mapping  *mapping.File            // nil for bytes given
	data     []byte                   // the whole file
	body     int                      // where its tensors begin
	sum      func() [sha256.Size]byte // of data, which is found once; nil where data may change
	names    []string
	tensors  map[string]Raw
	metadata map[string]string
}

// OpenFile maps a safetensors or GGUF file and checks its header. Errors are
// *Error, or *mapping.Changed where the file is changed meanwhile.
func OpenFile(path string) (*File, error) {
	mapped, err := mapFile(path)
	if err != nil {
		return nil, &Error{Path: path, Problem: bare(err).Error()}
	}
	f, err := OpenBytes(path, mapped.Bytes())
	if err = cmp.Or(mapped.Check(), err); err != nil {
		_ = mapped.Close() // the first error is the one to tell
		return nil, err
	}
	f.mapping, f.sum = mapped, nil
	return f, nil
}

// OpenBytes reads a safetensors or GGUF file that is in memory already; name is
// for messages.
func OpenBytes(name string, data []byte) (*File, error) {
	read := parse
	if isGGUF(data) {
		read = parseGGUF
	}
	h, problem := read(data)
	if problem != nil {
		problem.Path = name
		return nil, problem
	}
	sum := sync.OnceValue(func() [sha256.Size]byte { return sha256.Sum256(data) })
	f := &File{path: name, data: data, body: h.data, sum: sum, tensors: make(map[string]Raw, len(h.entries)), metadata: h.metadata}
	for _, e := range h.entries {
		f.names = append(f.names, e.name)
		f.tensors[e.name] = Raw{Shape: e.shape, Type: e.dtype, Bytes: data[h.data+e.lo : h.data+e.hi : h.data+e.hi]}
	}
	for _, finish := range []func() *Error{f.unpack, f.takeScales} {
		if problem := finish(); problem != nil {
			problem.Path = name
			return nil, problem
		}
	}
	return f, nil
}

func mapFile(path string) (*mapping.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe without a writer would wait for one
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("is no regular file")
	case info.Size() == 0:
		err = errors.New("is empty: download it again")
	case info.Size() > math.MaxInt:
		err = errors.New("is too large for this machine's address space")
	default:
		return mapping.Map(f, int(info.Size()))
	}
	f.Close()
	return nil, err
}

// bare is err without operation and path, which the message has already.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Tensor implements Source.
func (f *File) Tensor(name string) (Raw, bool) {
	r, ok := f.tensors[name]
	return r, ok
}

// Names implements Source: the tensors in the order of their bytes.
func (f *File) Names() []string { return f.names }

// Metadata is the header's free text.
func (f *File) Metadata() map[string]string { return f.metadata }

// Kind is what the file is: "safetensors" or "GGUF".
func (f *File) Kind() string {
	if isGGUF(f.data) {
		return gguf.Magic
	}
	return "safetensors"
}

// String is the file's path.
func (f *File) String() string { return f.path }

// Close unmaps the file. Windows of it must not be used afterwards.
func (f *File) Close() error {
	mapped := f.mapping
	f.mapping, f.data, f.sum, f.tensors = nil, nil, nil, nil
	if mapped == nil {
		return nil
	}
	return mapped.Close()
}
