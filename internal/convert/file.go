package convert

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"taca/internal/atomicfile"
	"taca/internal/checkpoint"
	"taca/internal/dialect"
	"taca/internal/mapping"
	"taca/internal/quantise"
	"taca/internal/tensor"
)

// Wordless is a tensor in a format for which safetensors has no word, where
// nothing was said of another format.
type Wordless struct {
	Path   string // of its file
	Format string
}

// Error says what it is.
func (w *Wordless) Error() string {
	return fmt.Sprintf("%s: holds weights of %s, for which safetensors has no word", w.Path, w.Format)
}

// Seen is told of how many bytes of the source have passed.
type Seen func(done, total int)

// Component writes a component under its canonical names, and returns the bytes
// of its tensors. The matrices of a transformer's blocks become to; all stays as
// it is where to is nil.
func Component(ctx context.Context, path string, s checkpoint.Source, to *tensor.DType, seen Seen) (int, error) {
	var all []dialect.Joined
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		all = append(all, dialect.Joined{Name: name, Shape: raw.Shape, Parts: []dialect.Part{{Name: name, Raw: raw}}, File: s.String()})
	}
	return write(ctx, path, all, to, seen)
}

// File is Component of a model's components in one file, in their authors' names.
func File(ctx context.Context, path string, parts []dialect.Component, to *tensor.DType, seen Seen) (int, error) {
	all, err := dialect.Layout(parts)
	if err != nil {
		return 0, err
	}
	return write(ctx, path, all, to, seen)
}

func write(ctx context.Context, path string, all []dialect.Joined, to *tensor.DType, seen Seen) (written int, err error) {
	tensors := make([]checkpoint.Tensor, len(all))
	done, total := 0, 0
	for i, j := range all {
		for _, p := range j.Parts {
			total += len(p.Bytes)
		}
		if tensors[i], err = becomes(j, to); err != nil {
			return 0, err
		}
	}
	err = atomicfile.Write(path, func(w io.Writer) error {
		written, err = checkpoint.WriteStream(w, tensors, func(w io.Writer, i int) error {
			for _, p := range all[i].Parts {
				if err := quantise.Stream(ctx, w, p.Raw, tensors[i].Type); err != nil {
					return err
				}
				done += len(p.Bytes)
				seen(done, total)
			}
			return nil
		})
		return cmp.Or(mapping.Check(), context.Cause(ctx), err) // first what is at the bottom of it
	})
	return written, err
}

// becomes is a tensor as it will be. Its parts must have one format and one scale.
func becomes(j dialect.Joined, to *tensor.DType) (checkpoint.Tensor, error) {
	var out checkpoint.Raw
	for i, p := range j.Parts {
		raw := p.Raw
		d, _ := tensor.ParseDType(raw.Type)
		switch {
		case to != nil:
			raw = quantise.Becomes(p.Name, raw, *to)
		case d.Quantised() && !d.Rotated():
			return checkpoint.Tensor{}, &Wordless{j.File, raw.Type}
		}
		if i > 0 && (raw.Type != out.Type || raw.Scale != out.Scale) {
			return checkpoint.Tensor{}, &checkpoint.Error{Path: j.File, Problem: fmt.Sprintf("%s and %s, which are one matrix in a single file, have other formats or scales", j.Parts[0].Name, p.Name),
				Hint: "write a folder, or give --weights bf16"}
		}
		out = raw
	}
	return checkpoint.Tensor{Name: j.Name, Raw: checkpoint.Raw{Shape: j.Shape, Type: out.Type, Scale: out.Scale}}, nil
}
