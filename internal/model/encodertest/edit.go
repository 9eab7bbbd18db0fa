package encodertest

import (
	"errors"
	"slices"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// Edited is a checkpoint with some tensors renamed, reshaped, left out or
// added.
type Edited struct {
	checkpoint.Source
	Rename  func(name string) string // to "" to leave out; nil renames nothing
	Reshape func(name string, shape []int) []int
	Added   map[string][]int // shapes by name
}

// Tensor implements checkpoint.Source. Added tensors hold I64, which no weight
// may.
func (e Edited) Tensor(name string) (checkpoint.Raw, bool) {
	if shape, ok := e.Added[name]; ok {
		return checkpoint.Raw{Shape: shape, Type: "I64"}, true
	}
	for _, held := range e.Source.Names() {
		if e.renamed(held) == name {
			raw, ok := e.Source.Tensor(held)
			if e.Reshape != nil {
				raw.Shape = e.Reshape(name, raw.Shape)
			}
			return raw, ok
		}
	}
	return checkpoint.Raw{}, false
}

// Names implements checkpoint.Source.
func (e Edited) Names() []string {
	var names []string
	for _, held := range e.Source.Names() {
		if name := e.renamed(held); name != "" {
			names = append(names, name)
		}
	}
	for name := range e.Added {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (e Edited) renamed(name string) string {
	if e.Rename == nil {
		return name
	}
	return e.Rename(name)
}

// WantDefects checks that opening a golden's model from source is refused with
// exactly these defects.
func (g Golden) WantDefects(t *testing.T, open Opener, source checkpoint.Source, missing, misshapen, unused []string) {
	t.Helper()
	_, err := open(g.Config, source, dry.New(), tensor.F32)
	var defects *nn.Defects
	if !errors.As(err, &defects) {
		t.Fatalf("error is %v, want defects", err)
	}
	for _, kind := range []struct {
		what      string
		got, want []string
	}{
		{"missing", defects.Missing, missing},
		{"misshapen", defects.Misshapen, misshapen},
		{"unused", defects.Unused, unused},
	} {
		if !slices.Equal(kind.got, kind.want) {
			t.Errorf("%s: %q, want %q", kind.what, kind.got, kind.want)
		}
	}
}
