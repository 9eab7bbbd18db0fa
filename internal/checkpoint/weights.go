package checkpoint

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"
)

// Weights is the tensors of a component, mapped until Close.
type Weights interface {
	Source
	// Fingerprint changes when the content of the files does. It is false where
	// that cannot be promised.
	Fingerprint(now time.Time) (sum [sha256.Size]byte, ok bool)
	// Close unmaps the files. Windows of them must not be used afterwards.
	Close() error
}

// Open opens one file of weights. Errors are *Error.
func Open(path string) (Weights, error) {
	f, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	s := &Set{name: path, home: map[string]*File{}}
	return s, s.take(f)
}

// Set is several files as one Source: the shards of a component.
type Set struct {
	name  string
	files []*File
	names []string
	home  map[string]*File
}

// variants are the infixes under which half-precision copies are published.
var variants = []string{"", ".fp16", ".bf16"}

// HasWeights reports whether Weights would find a file to open.
func (f *Folder) HasWeights(stem string) bool {
	if f.part != nil {
		return true
	}
	_, _, ok := FindWeights(stem, f.Has)
	return ok
}

// FindWeights is the file that holds, or whose index names, a component's
// tensors, in a folder that has the files that has tells of.
func FindWeights(stem string, has func(name string) bool) (name string, sharded, ok bool) {
	for _, v := range variants {
		for _, extension := range []string{".safetensors", ".gguf"} {
			if name := stem + v + extension; has(name) {
				return name, false, true
			}
		}
		for _, index := range []string{stem + ".safetensors.index" + v + ".json", stem + v + ".safetensors.index.json"} {
			if has(index) {
				return index, true, true
			}
		}
	}
	return "", false, false
}

// Weights opens the files of a component's folder: stem.safetensors, stem.gguf or
// the shards that stem.safetensors.index.json names; "diffusion_pytorch_model"
// for transformers and VAEs, "model" for text encoders; or what lies elsewhere.
// Errors are *Error.
func (f *Folder) Weights(stem string) (Weights, error) {
	if f.part != nil {
		return f.part()
	}
	name, sharded, ok := FindWeights(stem, f.Has)
	if !ok {
		return nil, &Error{Path: f.name, Problem: fmt.Sprintf("holds none of %s.safetensors, %s.safetensors.index.json and %s.gguf", stem, stem, stem),
			Hint: "taca reads safetensors and GGUF; is this a whole diffusers folder?"}
	}
	s := &Set{name: path.Join(f.name, name), home: map[string]*File{}}
	if !sharded {
		return s, s.add(f, name)
	}
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := f.ReadJSON(name, &index); err != nil {
		return nil, err
	}
	shards := slices.Compact(slices.Sorted(maps.Values(index.Map)))
	if len(shards) == 0 {
		return nil, &Error{Path: s.name, Problem: "its weight_map names no shards", Hint: downloadAgain}
	}
	var errs []error
	for _, shard := range shards {
		if path.Base(shard) != shard || shard == ".." {
			errs = append(errs, &Error{Path: s.name, Problem: fmt.Sprintf("names the shard %q outside its folder", shard), Hint: "do not trust this model"})
			continue
		}
		errs = append(errs, s.add(f, shard))
	}
	if err := errors.Join(append(errs, s.agrees(index.Map))...); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// add opens one more file.
func (s *Set) add(f *Folder, name string) error {
	file, err := f.open(name)
	if err != nil {
		return err
	}
	return s.take(file)
}

// take gives the set an open file.
func (s *Set) take(file *File) error {
	s.files = append(s.files, file)
	for _, t := range file.Names() {
		if other, twice := s.home[t]; twice {
			return &Error{Path: s.name, Problem: fmt.Sprintf("tensor %q is in %s and in %s", t, other, file), Hint: downloadAgain}
		}
		s.home[t] = file
		s.names = append(s.names, t)
	}
	return nil
}

// agrees holds the index against what the shards hold.
func (s *Set) agrees(index map[string]string) error {
	open := map[string]bool{}
	for _, f := range s.files {
		open[path.Base(f.path)] = true
	}
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(index)) {
		if f, ok := s.home[name]; open[index[name]] && (!ok || path.Base(f.path) != index[name]) {
			missing = append(missing, fmt.Sprintf("%s in %s", name, index[name]))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Error{Path: s.name, Problem: fmt.Sprintf("%d tensors are not where it says, such as %s", len(missing), missing[0]), Hint: downloadAgain}
}

// Tensor implements Source.
func (s *Set) Tensor(name string) (Raw, bool) {
	f, ok := s.home[name]
	if !ok {
		return Raw{}, false
	}
	return f.Tensor(name)
}

// Names implements Source: shard by shard, in the order of their bytes.
func (s *Set) Names() []string { return s.names }

// String is the file or the index.
func (s *Set) String() string { return s.name }

// Close unmaps all files.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	s.files, s.home = nil, nil
	return errors.Join(errs...)
}
