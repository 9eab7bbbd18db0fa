package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"taca/internal/atomicfile"
	"taca/internal/checkpoint"
	"taca/internal/mapping"
)

// Save writes the model to a new folder, the transformer's weights converted as
// Convert says, and returns how many bytes they took and take. All other files
// are copied, and weights that lie elsewhere are written as diffusers would.
// After an error, or where ctx ends, nothing is left behind; a folder that
// exists is fs.ErrExist.
func (m *Model) Save(ctx context.Context, dir string) (before, after int, err error) {
	if _, err := os.Lstat(dir); err == nil {
		return 0, 0, fmt.Errorf("write %s: %w", dir, fs.ErrExist)
	}
	partial := filepath.Clean(dir) + ".partial"
	if err := os.RemoveAll(partial); err != nil {
		return 0, 0, err
	}
	if err = m.copyFiles(ctx, partial); err == nil {
		before, after, err = m.saveWeights(ctx, partial)
	}
	if err == nil {
		err = os.Rename(partial, dir)
	}
	if err != nil {
		return 0, 0, errors.Join(err, os.RemoveAll(partial))
	}
	return before, after, nil
}

// copyFiles copies all but the transformer's weights.
func (m *Model) copyFiles(ctx context.Context, dir string) error {
	files := m.folder.FS()
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case d.IsDir():
			return os.MkdirAll(to, 0o777)
		case strings.HasPrefix(name, "transformer/") && (strings.Contains(name, ".safetensors") || strings.HasSuffix(name, ".gguf")):
			return nil
		}
		from, err := files.Open(name)
		if err != nil {
			return err
		}
		defer from.Close()
		return atomicfile.Write(to, func(w io.Writer) error {
			_, err := io.Copy(w, from)
			return err
		})
	})
}

// saveWeights writes the weights that copyFiles does not copy, and counts those
// of the transformer.
func (m *Model) saveWeights(ctx context.Context, dir string) (before, after int, err error) {
	w := m.newWeights()
	defer func() { err = errors.Join(err, w.close()) }()
	for _, name := range m.parts() {
		if name != "transformer" && !m.folder.Elsewhere(name) {
			continue
		}
		stored, written, err := w.save(ctx, name, filepath.Join(dir, name))
		if err != nil {
			return 0, 0, err
		}
		if name == "transformer" {
			before, after = stored, written
		}
	}
	return before, after, nil
}

// save writes one component as one file, a tensor at a time.
func (w *weights) save(ctx context.Context, component, dir string) (before, after int, err error) {
	stored, err := w.stored(component)
	if err != nil {
		return 0, 0, err
	}
	converted, err := w.component(component)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range stored.Names() {
		raw, _ := stored.Tensor(name)
		before += len(raw.Bytes)
	}
	shapes, err := w.shapes(component)
	if err != nil {
		return 0, 0, err
	}
	path := filepath.Join(dir, stem(component)+".safetensors")
	err = atomicfile.Write(path, func(out io.Writer) error {
		after, err = checkpoint.WriteSource(out, shapes, func(name string) ([]byte, error) {
			raw, _ := converted.Tensor(name)
			return raw.Bytes, ctx.Err()
		})
		return cmp.Or(mapping.Check(), err) // first what is at the bottom of it
	})
	return before, after, err
}
