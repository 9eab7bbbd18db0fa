package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Folder is a model directory: on disk, where its weights are mapped, or in a
// file system inside the program, where they are read. The weights of its
// components may also lie in files elsewhere.
type Folder struct {
	files fs.FS
	disk  string // the directory; empty for a file system inside the program
	name  string // for messages
	parts Parts
	part  func() (Weights, error) // of the component that the folder is
}

// Parts opens the weights of components that lie in files elsewhere, by the
// components' names.
type Parts map[string]func() (Weights, error)

// OpenFolder is the directory at p. Errors are *Error.
func OpenFolder(p string) (*Folder, error) {
	info, err := os.Stat(p)
	if err != nil {
		return nil, &Error{Path: p, Problem: bare(err).Error()}
	}
	if !info.IsDir() {
		return nil, &Error{Path: p, Problem: "is a file, not a model folder"}
	}
	return &Folder{files: os.DirFS(p), disk: p, name: p}, nil
}

// NewFolder is a file system as a model folder; name is for messages.
func NewFolder(files fs.FS, name string) *Folder { return &Folder{files: files, name: name} }

// Assemble is a folder whose weights are all in parts; files is the rest of it,
// name is for messages.
func Assemble(files fs.FS, name string, parts Parts) *Folder {
	return &Folder{files: files, name: name, parts: parts}
}

// Sub is the subfolder called name, whether it exists or not.
func (f *Folder) Sub(name string) *Folder {
	sub, err := fs.Sub(f.files, name)
	if err != nil {
		panic(err) // name comes from the program and is a valid path
	}
	out := &Folder{files: sub, name: path.Join(f.name, name), part: f.parts[name]}
	if f.disk != "" {
		out.disk = filepath.Join(f.disk, name)
	}
	return out
}

// OnDisk reports whether weights are mapped from files.
func (f *Folder) OnDisk() bool { return f.disk != "" || f.parts != nil }

// Elsewhere reports whether the weights of a component lie outside the folder.
func (f *Folder) Elsewhere(component string) bool { return f.parts[component] != nil }

// FS is the folder's files.
func (f *Folder) FS() fs.FS { return f.files }

// Has reports whether the folder holds a file or folder called name.
func (f *Folder) Has(name string) bool {
	_, err := fs.Stat(f.files, name)
	return err == nil
}

// String is the folder's path or name.
func (f *Folder) String() string { return f.name }

// ReadJSON decodes one of the folder's files. Errors are *Error and say where
// in the file the trouble is.
func (f *Folder) ReadJSON(name string, into any) error {
	full := path.Join(f.name, name)
	data, err := fs.ReadFile(f.files, name)
	if err != nil {
		return &Error{Path: full, Problem: bare(err).Error(), Hint: "is this a whole diffusers folder?"}
	}
	err = json.Unmarshal(data, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return &Error{Path: full, Problem: fmt.Sprintf("line %d: %v", line(data, syntax.Offset), err), Hint: downloadAgain}
	case errors.As(err, &kind):
		return &Error{Path: full, Problem: fmt.Sprintf("line %d: %q is a %s", line(data, kind.Offset), kind.Field, kind.Value)}
	}
	return &Error{Path: full, Problem: err.Error()}
}

// line is the line of a file that holds byte offset.
func line(data []byte, offset int64) int {
	return 1 + strings.Count(string(data[:min(int(offset), len(data))]), "\n")
}

// open maps or reads one of the folder's safetensors files.
func (f *Folder) open(name string) (*File, error) {
	if f.disk != "" {
		return OpenFile(filepath.Join(f.disk, name))
	}
	data, err := fs.ReadFile(f.files, name)
	if err != nil {
		return nil, &Error{Path: path.Join(f.name, name), Problem: bare(err).Error()}
	}
	return OpenBytes(path.Join(f.name, name), data)
}
