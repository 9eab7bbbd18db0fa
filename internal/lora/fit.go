package lora

import (
	"fmt"
	"slices"

	"taca/internal/checkpoint"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// Options say how a file is fitted to a model.
type Options struct {
	Scale   float32 // of the whole file
	Lenient bool    // what finds no place is left out; never half a module
}

// update is what a file adds to one layer.
type update struct {
	layer    string
	down, up checkpoint.Raw
	scale    float32 // alpha/r
}

// Fit finds the place of every module of f in the parts of a model. Without
// Lenient all must have one. Errors are *Error.
func (f *File) Fit(parts []Part, o Options) (*LoRA, error) {
	l := &LoRA{name: f.source.String(), scale: o.Scale, gate: new(float32), updates: map[string][]update{}}
	known := spellings(parts)
	taken := map[*nn.Linear]bool{}
	if len(f.foreign) > 0 {
		l.left.add("these tensors are no part of a LoRA", f.foreign...)
	}
	for _, m := range f.modules {
		if m.why == "" && m.nothing() {
			continue
		}
		at := known.find(m.name)
		updates, why := f.updates(m, at, taken)
		if why != "" {
			l.left.add(why, m.keys...)
			continue
		}
		for _, u := range updates {
			taken[at.part.Layers[u.layer]] = true
		}
		l.updates[at.part.Name] = append(l.updates[at.part.Name], updates...)
	}
	l.Set(true)
	return l, f.complete(l, o)
}

// complete is nil where every tensor is used, or need not be.
func (f *File) complete(l *LoRA, o Options) error {
	if len(l.left) == 0 || o.Lenient && len(l.updates) > 0 {
		return nil
	}
	e := &Error{File: f.source.String(), Omission: l.left[0]}
	if len(l.updates) > 0 {
		e.Hint = "--lora-lenient goes on without them"
	}
	for _, left := range l.left {
		if left.Problem == unknown && len(l.updates) == 0 {
			e.Omission = Omission{fmt.Sprintf("nothing in it matches the model's layers; is this LoRA (%s) for another model?", f.trainer), left.Keys}
		}
	}
	return e
}

const unknown = "the model has no such layers; is this LoRA for another model?"

// updates is what m adds to the layers at its place, or why it can not.
func (f *File) updates(m *module, at place, taken map[*nn.Linear]bool) ([]update, string) {
	switch {
	case m.why != "":
		return nil, m.why
	case at.part == nil:
		return nil, unknown
	case at.part.Closed != "":
		return nil, at.part.Closed
	}
	if why := m.misfit(); why != "" {
		return nil, why
	}
	ups, err := at.Cut(*m.up, m.down.Shape[1])
	if err != nil {
		return nil, err.Error()
	}
	scale, ok := f.scales.of(at.part.Name, m)
	if !ok {
		return nil, "alpha over the rank is no finite number"
	}
	var all []update
	for i, path := range at.Parts {
		layer := at.part.Layers[path]
		switch {
		case layer == nil:
			return nil, unknown
		case taken[layer]:
			return nil, twice
		}
		u := update{layer: path, down: *m.down, up: flat(ups[i]), scale: scale}
		var why string
		if u.down, why = columns(layer, *m.down); why == "" {
			why = u.misfit(layer, m)
		}
		if why != "" {
			return nil, why
		}
		all = append(all, u)
	}
	return all, ""
}

// misfit says why u cannot update l; empty where it can.
func (u update) misfit(l *nn.Linear, m *module) string {
	if u.up.Shape[0] == l.W.Rows && u.down.Shape[1] == l.W.Cols {
		return ""
	}
	if u.down.Shape[1] == 2*l.W.Cols && u.layer == "x_embedder" {
		return "a control LoRA wants a picture beside the latents, which taca does not take"
	}
	return fmt.Sprintf("matrices are %v and %v, the layer is [%d %d]; is this LoRA for another model?", m.down.Shape, m.up.Shape, l.W.Rows, l.W.Cols)
}

// flat is a matrix with as many columns as a row has elements.
func flat(raw checkpoint.Raw) checkpoint.Raw {
	if len(raw.Shape) > 2 {
		raw.Shape = []int{raw.Shape[0], raw.Elements() / max(1, raw.Shape[0])}
	}
	return raw
}

// columns is A as a matrix with the columns in the order that the layer has
// them. Where that is the checkpoint's, nothing is copied.
func columns(l *nn.Linear, a checkpoint.Raw) (checkpoint.Raw, string) {
	want := append([]int{a.Shape[0]}, l.Kernel...)
	if l.Kernel == nil {
		want = append([]int{a.Shape[0], a.Shape[1]}, slices.Repeat([]int{1}, len(a.Shape)-2)...)
	}
	if !slices.Equal(a.Shape, want) {
		return a, fmt.Sprintf("a matrix is %v, want %v", a.Shape, want)
	}
	if l.Kernel != nil && a.Bytes != nil {
		d, _ := tensor.ParseDType(a.Type)
		a.Bytes = nn.Reorder(a.Bytes, l.Order, a.Shape[0], d.Size())
	}
	return flat(a), ""
}
