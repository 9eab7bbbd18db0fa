package lora

import (
	"fmt"
	"maps"
	"slices"

	"taca/internal/checkpoint"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// LoRA is one adapter file attached to a model: W' = W + gate·(alpha/r)·B·A on
// every layer it names.
type LoRA struct {
	name  string
	scale float32 // what the gate is when open
	gate  *float32
}

// Set opens the gate to the file's scale, or closes it: 0 costs nothing.
func (l *LoRA) Set(on bool) {
	*l.gate = 0
	if on {
		*l.gate = l.scale
	}
}

// String is the file and its scale, as people write them: "x.safetensors:0.7".
func (l *LoRA) String() string { return fmt.Sprintf("%s:%v", l.name, l.scale) }

// Attach hangs the adapters in src on layers, which are keyed by canonical
// path with the component first ("transformer.proj_out"). The matrices stay in
// src's memory, in src's format. The gate starts open at scale. Everything in
// the file must find its place: if anything does not, nothing is attached and
// the error is an *Error.
func Attach(layers map[string]*nn.Linear, src checkpoint.Source, metadata map[string]string, b tensor.Backend, scale float32) (*LoRA, error) {
	pairs, err := collect(src)
	if err != nil {
		return nil, err
	}
	if err := fits(pairs, layers, src); err != nil {
		return nil, err
	}
	known, err := readScales(metadata)
	if err != nil {
		return nil, &Error{File: src.String(), Problem: err.Error()}
	}
	l := &LoRA{name: src.String(), scale: scale, gate: new(float32)}
	group := b.NewGroup()
	adapters := map[string]nn.Adapter{}
	for module, p := range pairs {
		a, err := p.bind(group)
		if err != nil {
			group.Drop()
			return nil, fmt.Errorf("%s: bind the adapter of %s: %w", src, module, err)
		}
		a.Gate, a.Scale = l.gate, known.of(module, p.alpha, a.Down.Rows)
		adapters[module] = a
	}
	group.Keep()
	for module, a := range adapters {
		layers[module].Adapters = append(layers[module].Adapters, a)
	}
	l.Set(true)
	return l, nil
}

// collect sorts a file's tensors by module.
func collect(src checkpoint.Source) (map[string]*pair, error) {
	kind, ok := Kind(src.Names())
	if !ok {
		return nil, &Error{File: src.String(), Problem: "it holds no LoRA", Keys: src.Names()}
	}
	if kind != diffusers {
		return nil, &Error{File: src.String(), Keys: src.Names(),
			Problem: fmt.Sprintf("a LoRA of the kind %q is not read yet; convert it to diffusers names", kind)}
	}
	pairs := map[string]*pair{}
	var problems complaints
	for _, name := range src.Names() {
		k, ok := parse(name)
		if !ok {
			k = key{role: refused, why: "these tensors are no part of a LoRA"}
		}
		if k.role == refused {
			problems.add(k.why, name)
			continue
		}
		if pairs[k.module] == nil {
			pairs[k.module] = &pair{}
		}
		raw, _ := src.Tensor(name)
		problems.add(pairs[k.module].put(k.role, raw), name)
		pairs[k.module].keys = append(pairs[k.module].keys, name)
	}
	return pairs, problems.err(src)
}

// fits holds all pairs against the layers they are for.
func fits(pairs map[string]*pair, layers map[string]*nn.Linear, src checkpoint.Source) error {
	var problems complaints
	strangers := 0
	for _, module := range slices.Sorted(maps.Keys(pairs)) {
		p := pairs[module]
		if layers[module] == nil {
			strangers++
			problems.add("the model has no such layers; is this LoRA for another model?", p.keys...)
			continue
		}
		problems.add(p.misfit(layers[module]), p.keys...)
	}
	if strangers == len(pairs) {
		problems[0].what = "nothing in it matches the model's layers; is this LoRA for another model?"
	}
	return problems.err(src)
}

// complaints are problems and the keys that have them.
type complaints []struct {
	what string
	keys []string
}

// add notes a problem; an empty text is none.
func (c *complaints) add(what string, keys ...string) {
	if what == "" {
		return
	}
	for i := range *c {
		if (*c)[i].what == what {
			(*c)[i].keys = append((*c)[i].keys, keys...)
			return
		}
	}
	*c = append(*c, struct {
		what string
		keys []string
	}{what, keys})
}

// err is the first problem with all the keys that have it, or nil.
func (c complaints) err(src checkpoint.Source) error {
	if len(c) == 0 {
		return nil
	}
	return &Error{File: src.String(), Problem: c[0].what, Keys: c[0].keys}
}
