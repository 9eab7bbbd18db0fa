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

// pair is the tensors of one module.
type pair struct {
	down, up *checkpoint.Raw
	alpha    *float32
	keys     []string
}

// Attach hangs the adapters in src on layers, which are keyed by canonical
// path with the component first ("transformer.proj_out"). The gate starts
// open at scale. Everything in the file must find its place: if anything does
// not, nothing is attached and the error is an *Error.
func Attach(layers map[string]*nn.Linear, src checkpoint.Source, metadata map[string]string, b tensor.Backend, scale float32) (*LoRA, error) {
	fail := func(problem string, keys ...string) error {
		return &Error{File: src.String(), Problem: problem, Keys: keys}
	}
	if kind, ok := unread(src.Names()); ok {
		return nil, fail("this is a LoRA of the kind " + kind + ", which is not read yet: convert it to diffusers names")
	}
	pairs, err := collect(src)
	if err != nil {
		return nil, err
	}
	known, err := readScales(metadata)
	if err != nil {
		return nil, fail(err.Error())
	}
	var foreign []string
	for _, module := range slices.Sorted(maps.Keys(pairs)) {
		if layers[module] == nil {
			foreign = append(foreign, pairs[module].keys...)
		}
	}
	if len(foreign) > 0 {
		return nil, fail("the model has no such layers: is this LoRA for another model?", foreign...)
	}
	l := &LoRA{scale: scale, gate: new(float32)}
	group := b.NewGroup()
	adapters := map[string]nn.Adapter{}
	for _, module := range slices.Sorted(maps.Keys(pairs)) {
		a, problem := pairs[module].bind(group, layers[module])
		if problem != "" {
			return nil, fail(problem, pairs[module].keys...)
		}
		a.Gate, a.Scale = l.gate, known.of(module, pairs[module].alpha, a.Down.Rows)
		adapters[module] = a
	}
	for module, a := range adapters {
		layers[module].Adapters = append(layers[module].Adapters, a)
	}
	l.Set(true)
	return l, nil
}

// collect sorts a file's tensors by module.
func collect(src checkpoint.Source) (map[string]*pair, error) {
	fail := func(problem string, keys ...string) error {
		return &Error{File: src.String(), Problem: problem, Keys: keys}
	}
	pairs := map[string]*pair{}
	var foreign []string
	for _, name := range src.Names() {
		k, ok := parse(name)
		if !ok {
			foreign = append(foreign, name)
			continue
		}
		if k.role == refused {
			return nil, fail(k.why, name)
		}
		p := pairs[k.module]
		if p == nil {
			p = &pair{}
			pairs[k.module] = p
		}
		raw, _ := src.Tensor(name)
		if problem := p.put(k.role, raw); problem != "" {
			return nil, fail(problem, name)
		}
		p.keys = append(p.keys, name)
	}
	if len(foreign) > 0 {
		return nil, fail("these tensors are no part of a LoRA", foreign...)
	}
	if len(pairs) == 0 {
		return nil, fail("it holds no LoRA")
	}
	return pairs, nil
}

// put stores one tensor of a pair; the text says what is wrong with it.
func (p *pair) put(r role, raw checkpoint.Raw) string {
	switch r {
	case down, up:
		slot := map[role]**checkpoint.Raw{down: &p.down, up: &p.up}[r]
		if *slot != nil {
			return "two tensors of one file update the same layer"
		}
		*slot = &raw
	case alpha:
		values, err := checkpoint.Floats(raw)
		if err != nil || len(values) != 1 {
			return fmt.Sprintf("alpha is %s %v, want one number", raw.Type, raw.Shape)
		}
		p.alpha = &values[0]
	}
	return ""
}

// bind gives both matrices to the backend; the text says what is wrong.
func (p *pair) bind(g tensor.Group, l *nn.Linear) (nn.Adapter, string) {
	switch {
	case p.down == nil || p.up == nil:
		return nn.Adapter{}, "half of a pair of matrices is missing"
	case len(p.down.Shape) != 2 || len(p.up.Shape) != 2:
		return nn.Adapter{}, fmt.Sprintf("matrices are %v and %v: adapters of convolutions are not supported", p.down.Shape, p.up.Shape)
	case p.down.Shape[0] != p.up.Shape[1] || p.down.Shape[1] != l.W.Cols || p.up.Shape[0] != l.W.Rows || p.down.Shape[0] == 0:
		return nn.Adapter{}, fmt.Sprintf("matrices are %v and %v, the layer is [%d %d]: is this LoRA for another model?", p.down.Shape, p.up.Shape, l.W.Rows, l.W.Cols)
	}
	var a nn.Adapter
	for _, m := range []struct {
		to  *tensor.Tensor
		raw *checkpoint.Raw
	}{{&a.Down, p.down}, {&a.Up, p.up}} {
		d, ok := tensor.ParseDType(m.raw.Type)
		if !ok {
			return a, fmt.Sprintf("a matrix holds %s, which is no weight format", m.raw.Type)
		}
		t, err := g.Bind(m.raw.Bytes, m.raw.Shape[0], m.raw.Shape[1], d)
		if err != nil {
			return a, err.Error()
		}
		*m.to = t
	}
	return a, ""
}
