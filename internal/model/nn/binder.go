package nn

import (
	"fmt"
	"slices"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// Binder fills layers from a checkpoint. Every call declares a tensor's shape,
// so the file is checked against the config. It remembers every defect, to
// report them together, and every layer's path, which is how a LoRA finds its
// place. With no source it binds shapes alone: that is how the dry backend
// loads a model that is not there.
type Binder struct {
	*binding
	path  string
	group tensor.Group
}

// binding is what all the binders of one model share.
type binding struct {
	source  checkpoint.Source
	backend tensor.Backend
	layers  map[string]*Linear
	groups  []tensor.Group
	used    map[string]bool
	defects Defects
}

// NewBinder starts to bind source's tensors on backend b. A nil source binds
// shapes alone, in the format assumed.
func NewBinder(source checkpoint.Source, b tensor.Backend) *Binder {
	shared := &binding{source: source, backend: b, layers: map[string]*Linear{}, used: map[string]bool{}}
	return (&Binder{binding: shared}).Group("")
}

// In is the binder for the submodule called name.
func (b *Binder) In(name string) *Binder {
	return &Binder{b.binding, b.full(name), b.group}
}

// Group is In, with a group of weights of its own: one per block.
func (b *Binder) Group(name string) *Binder {
	in := b.In(name)
	in.group = b.backend.NewGroup()
	b.groups = append(b.groups, in.group)
	return in
}

// Weights is the group this binder binds into.
func (b *Binder) Weights() tensor.Group { return b.group }

// Layers is every linear layer bound so far, by canonical path.
func (b *Binder) Layers() map[string]*Linear { return b.layers }

// Path is the canonical name of something in this module; of the module
// itself if name is empty.
func (b *Binder) Path(name string) string { return b.full(name) }

// Has reports whether the checkpoint holds a tensor; true where there is no
// checkpoint.
func (b *Binder) Has(name string) bool {
	if b.source == nil {
		return true
	}
	_, ok := b.source.Tensor(b.full(name))
	return ok
}

// Linear binds name.weight (out × in) and name.bias (out).
func (b *Binder) Linear(l *Linear, name string, out, in int) {
	b.LinearNoBias(l, name, out, in)
	b.Vector(&l.B, name+".bias", out)
}

// LinearNoBias binds name.weight (out × in).
func (b *Binder) LinearNoBias(l *Linear, name string, out, in int) {
	b.bind(&l.W, name+".weight", []int{out, in}, out, in, nil, byLinear)
	b.layers[b.full(name)] = l
}

// Vector binds n values as one row.
func (b *Binder) Vector(t *tensor.Tensor, name string, n int) {
	b.bind(t, name, []int{n}, 1, n, nil, byAny)
}

// Matrix binds rows × cols values, for verbs that take weights: a table.
func (b *Binder) Matrix(t *tensor.Tensor, name string, rows, cols int) {
	b.bind(t, name, []int{rows, cols}, rows, cols, nil, byGather)
}

// Shaped binds a tensor of any shape as a matrix, with its elements put in
// another order where order is not nil: order[i] is the element that comes
// i-th within each of the rows.
func (b *Binder) Shaped(t *tensor.Tensor, name string, shape []int, rows, cols int, order []int) {
	if order == nil {
		b.bind(t, name, shape, rows, cols, nil, byGather)
		return
	}
	b.bind(t, name, shape, rows, cols, func() []int { return order }, byAny)
}

// Patches binds name.weight (out, channels, size, size) and name.bias: a
// convolution over patches that do not overlap, which is a Linear over rows
// with columns in the order (y, x, channel). The checkpoint has (channel, y, x),
// like the latents.
func (b *Binder) Patches(l *Linear, name string, out, channels, size int) {
	l.Kernel = []int{channels, size, size}
	l.Order = make([]int, 0, channels*size*size)
	for within := range size * size {
		for channel := range channels {
			l.Order = append(l.Order, channel*size*size+within)
		}
	}
	b.Shaped(&l.W, name+".weight", append([]int{out}, l.Kernel...), out, len(l.Order), l.Order)
	b.Vector(&l.B, name+".bias", out)
	b.layers[b.full(name)] = l
}

// Conv3x3 binds name.weight (out, in, 3, 3) with columns in the order
// (ky, kx, in) that the verb wants, and name.bias.
func (b *Binder) Conv3x3(w, bias *tensor.Tensor, name string, out, in int) {
	order := func() []int {
		all := make([]int, 0, 9*in)
		for tap := range 9 {
			for c := range in {
				all = append(all, c*9+tap)
			}
		}
		return all
	}
	b.bind(w, name+".weight", []int{out, in, 3, 3}, out, 9*in, order, byAny)
	b.Vector(bias, name+".bias", out)
}

func (b *Binder) full(name string) string {
	if b.path == "" || name == "" {
		return b.path + name
	}
	return b.path + "." + name
}

// bind binds a tensor. order, if there is one, is asked for its elements' once it
// is known to be as large as the config says.
func (b *Binder) bind(t *tensor.Tensor, name string, shape []int, rows, cols int, order func() []int, u use) {
	full := b.full(name)
	if b.source == nil {
		*t = b.hand(full, nil, rows, cols, tensor.BF16)
		return
	}
	raw, ok := b.source.Tensor(full)
	b.used[full] = true
	if !ok {
		b.defects.Missing = append(b.defects.Missing, fmt.Sprintf("%s %v", full, shape))
		return
	}
	if !slices.Equal(raw.Shape, shape) {
		b.defects.Misshapen = append(b.defects.Misshapen, fmt.Sprintf("%s is %v, config wants %v", full, raw.Shape, shape))
		return
	}
	d, ok := tensor.ParseDType(raw.Type)
	if !ok {
		b.defects.Misshapen = append(b.defects.Misshapen, fmt.Sprintf("%s holds %s, which is no weight format", full, raw.Type))
		return
	}
	if !u.takes(raw, d) || cols%d.Grain() != 0 {
		b.defects.Misshapen = append(b.defects.Misshapen, fmt.Sprintf("%s holds scaled numbers (%s) of %d columns, which cannot be read here", full, raw.Type, cols))
		return
	}
	data := raw.Bytes
	if order != nil {
		data = b.reordered(raw, order, rows, d)
	}
	*t = b.hand(full, data, rows, cols, d)
	t.Scale = raw.Scale
}

// hand gives the backend one matrix.
func (b *Binder) hand(full string, data []byte, rows, cols int, d tensor.DType) tensor.Tensor {
	t, err := b.group.Bind(data, rows, cols, d)
	if err != nil && b.defects.Device == nil {
		b.defects.Device = fmt.Errorf("bind %s: %w", full, err)
	}
	return t
}

// reordered is raw in another order, or nil for a backend that would not look.
func (b *Binder) reordered(raw checkpoint.Raw, order func() []int, rows int, d tensor.DType) []byte {
	if _, dry := b.backend.(tensor.Dry); dry {
		return nil
	}
	defer raw.Leave()
	return Reorder(raw.Bytes, order(), rows, d.Size())
}

// Reorder permutes the elements of each row.
func Reorder(data []byte, order []int, rows, size int) []byte {
	out := make([]byte, len(data))
	width := len(order) * size
	for r := range rows {
		from, to := data[r*width:(r+1)*width], out[r*width:(r+1)*width]
		for i, j := range order {
			copy(to[i*size:(i+1)*size], from[j*size:(j+1)*size])
		}
	}
	return out
}

// Close reports all defects together, as a *Defects: tensors that are missing,
// misshapen, or in the file but not used. A name is not counted as unused if
// ignore says so.
func (b *Binder) Close(ignore func(name string) bool) error {
	if b.source == nil {
		return b.defects.Device
	}
	for _, name := range b.source.Names() {
		if !b.used[name] && (ignore == nil || !ignore(name)) {
			b.defects.Unused = append(b.defects.Unused, name)
		}
	}
	if b.defects.Device != nil {
		return b.defects.Device
	}
	if b.defects.none() {
		return nil
	}
	b.defects.Source = b.source.String()
	return &b.defects
}

// Drop gives back all the weights bound so far.
func (b *Binder) Drop() {
	for _, g := range b.groups {
		g.Drop()
	}
}
