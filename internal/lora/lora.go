package lora

import (
	"crypto/sha256"
	"fmt"
	"math"

	"taca/internal/checkpoint"
	"taca/internal/model/nn"
	"taca/internal/tensor"
)

// LoRA is one adapter file fitted to a model: W' = W + gate·(alpha/r)·B·A on
// every layer it names.
type LoRA struct {
	name    string
	scale   float32 // what the gate is when open
	gate    *float32
	updates map[string][]update // by part
	left    omissions
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

// LeftOut is what of the file is not used.
func (l *LoRA) LeftOut() []Omission { return l.left }

// Layers is how many layers of each part are adapted.
func (l *LoRA) Layers() map[string]int {
	n := map[string]int{}
	for part, updates := range l.updates {
		n[part] = len(updates)
	}
	return n
}

// Attach hangs the adapters of a part on its layers, which are those it was
// fitted to or have the same shapes. The matrices stay in the file's memory, in
// the file's format, until the group that is returned is dropped.
func (l *LoRA) Attach(part string, layers map[string]*nn.Linear, b tensor.Backend) (tensor.Group, error) {
	group := b.NewGroup()
	adapters := make([]nn.Adapter, len(l.updates[part]))
	shared := map[*byte]tensor.Tensor{} // A of q, k and v is one
	for i, u := range l.updates[part] {
		a, err := u.bind(group, shared)
		if err != nil {
			group.Drop()
			return nil, fmt.Errorf("%s: bind the adapter of %s.%s: %w", l.name, part, u.layer, err)
		}
		a.Gate = l.gate
		adapters[i] = a
	}
	group.Keep()
	for i, u := range l.updates[part] {
		layers[u.layer].Adapters = append(layers[u.layer].Adapters, adapters[i])
	}
	return group, nil
}

// bind gives both matrices to the backend.
func (u update) bind(g tensor.Group, shared map[*byte]tensor.Tensor) (a nn.Adapter, err error) {
	a.Scale = u.scale
	first := &u.down.Bytes[0]
	if a.Down = shared[first]; a.Down.None() {
		if a.Down, err = bind(g, u.down); err != nil {
			return a, err
		}
		shared[first] = a.Down
	}
	a.Up, err = bind(g, u.up)
	return a, err
}

func bind(g tensor.Group, raw checkpoint.Raw) (tensor.Tensor, error) {
	d, _ := tensor.ParseDType(raw.Type)
	return g.Bind(raw.Bytes, raw.Shape[0], raw.Shape[1], d)
}

// Digest tells what the file adds to a part from all else, its scale included;
// nil where that is nothing.
func (l *LoRA) Digest(part string) []byte {
	if l.scale == 0 || len(l.updates[part]) == 0 {
		return nil
	}
	h := sha256.New()
	for _, u := range l.updates[part] {
		fmt.Fprintf(h, "%q %x %q %v %q %v\n", u.layer, math.Float32bits(l.scale*u.scale), u.down.Type, u.down.Shape, u.up.Type, u.up.Shape)
		h.Write(u.down.Bytes)
		h.Write(u.up.Bytes)
	}
	return h.Sum(nil)
}
