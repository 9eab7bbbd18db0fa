package pipeline

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"taca/internal/atomicfile"
	"taca/internal/checkpoint"
	"taca/internal/convert"
	"taca/internal/tensor"
)

// Save writes the model to a new folder, the matrices of its transformer's blocks
// in the format to, and returns how many bytes the transformer took and takes.
// All other files are copied, the transformer's too where to is nil, and weights
// that lie elsewhere are written as diffusers would. After an error, or where ctx
// ends, nothing is left behind; a folder that exists is fs.ErrExist.
func (m *Model) Save(ctx context.Context, dir string, to *tensor.DType, seen convert.Seen) (before, after int, err error) {
	err = convert.Whole(dir, func(place string) error {
		err := m.copyFiles(ctx, place, to != nil)
		if err == nil {
			before, after, err = m.saveWeights(ctx, place, to, seen)
		}
		return err
	})
	return before, after, err
}

// copyFiles copies all but the weights of a transformer that is converted.
func (m *Model) copyFiles(ctx context.Context, dir string, converted bool) error {
	files := m.folder.FS()
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case d.IsDir():
			return os.MkdirAll(to, 0o777)
		case converted && strings.HasPrefix(name, "transformer/") && (strings.Contains(name, ".safetensors") || strings.HasSuffix(name, ".gguf")):
			return nil
		}
		from, err := files.Open(name)
		if err != nil {
			return err
		}
		defer from.Close()
		return atomicfile.Write(to, func(w io.Writer) error {
			_, err := io.Copy(w, stopped{ctx, from})
			return err
		})
	})
}

// stopped is a reader that ends with ctx.
type stopped struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (s stopped) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(b)
}

// saveWeights writes the weights that copyFiles does not copy, and counts those
// of the transformer.
func (m *Model) saveWeights(ctx context.Context, dir string, to *tensor.DType, seen convert.Seen) (before, after int, err error) {
	w := m.newWeights()
	defer func() { err = errors.Join(err, w.close()) }()
	for _, name := range m.parts() {
		copied := !m.folder.Elsewhere(name) && (name != "transformer" || to == nil)
		if copied && name != "transformer" {
			continue
		}
		s, err := w.stored(name)
		if err != nil {
			return 0, 0, err
		}
		stored := checkpoint.Bytes(s)
		written := stored
		if !copied {
			if written, err = convert.Component(ctx, filepath.Join(dir, name, stem(name)+".safetensors"), s, to, seen); err != nil {
				return 0, 0, err
			}
		}
		if name == "transformer" {
			before, after = stored, written
		}
	}
	return before, after, nil
}
