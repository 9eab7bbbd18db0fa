package dialect

import (
	"fmt"
	"slices"
	"strings"

	"taca/internal/checkpoint"
)

// Module is a layer of another program: one canonical layer, or several whose
// rows it holds one after the other.
type Module struct {
	Parts   []string // canonical names, in the order of their rows
	Swapped bool     // it holds (shift, scale) where the canonical layer holds (scale, shift)

	transposed bool // its rows are the canonical columns
	squeezed   bool // it is a 1×1 convolution where the canonical layer is a matrix
}

// Table finds modules by a dialect's names of them, without ".weight".
type Table map[string]Module

// Underscored is the table by the names of trainers that write "_" for every
// ".". Such names cannot be taken apart; they can be looked up.
func (t Table) Underscored() Table {
	out := make(Table, len(t))
	for name, m := range t {
		out[strings.ReplaceAll(name, ".", "_")] = m
	}
	return out
}

// Cut is the tensors of the module's parts, one for each, out of the module's
// own: a weight, a bias or the matrix B of an adapter, whose rows are all the
// module's rows. width is the number of columns of the module's weight, which
// all parts but the last have as rows. Parts are windows of raw's bytes; only
// what is in another order is copied.
func (m Module) Cut(raw checkpoint.Raw, width int) ([]checkpoint.Raw, error) {
	if len(m.Parts) == 1 {
		var err error
		switch {
		case m.Swapped:
			raw, err = swapHalves(raw)
		case m.transposed:
			raw, err = transpose(raw)
		case m.squeezed:
			raw = squeeze(raw)
		}
		return []checkpoint.Raw{raw}, err
	}
	last := len(m.Parts) - 1
	if width <= 0 || len(raw.Shape) == 0 || (raw.Shape[0]-1)/last < width { // a file's sizes may overflow a product
		return nil, fmt.Errorf("a tensor of shape %v does not hold the rows of %s, %d each", raw.Shape, strings.Join(m.Parts, ", "), width)
	}
	out := make([]checkpoint.Raw, len(m.Parts))
	for i := range last {
		out[i] = rows(raw, i*width, (i+1)*width)
	}
	out[last] = rows(raw, last*width, raw.Shape[0])
	return out, nil
}

// fits is the error of Cut, without the work.
func (m Module) fits(raw checkpoint.Raw, width int) error {
	if n := raw.Elements(); m.transposed && n > 0 && len(raw.Bytes)%n != 0 {
		return fmt.Errorf("a matrix of %s, which packs numbers together, cannot be transposed", raw.Type)
	}
	raw.Bytes = nil
	_, err := m.Cut(raw, width)
	return err
}

// rows is the window of rows lo to hi of a tensor that has some. A row is a
// whole number of bytes in every format, be its numbers packed in blocks.
func rows(raw checkpoint.Raw, lo, hi int) checkpoint.Raw {
	if raw.Bytes != nil {
		row := len(raw.Bytes) / raw.Shape[0]
		raw.Bytes = raw.Bytes[lo*row : hi*row : hi*row]
	}
	raw.Shape = append([]int{hi - lo}, raw.Shape[1:]...)
	return raw
}

// swapHalves exchanges the upper and the lower half of the rows.
func swapHalves(raw checkpoint.Raw) (checkpoint.Raw, error) {
	if len(raw.Shape) == 0 || raw.Shape[0]%2 != 0 {
		return raw, fmt.Errorf("a tensor of shape %v has no two halves, shift and scale", raw.Shape)
	}
	if half := len(raw.Bytes) / 2; half > 0 {
		raw.Bytes = slices.Concat(raw.Bytes[half:], raw.Bytes[:half])
	}
	return raw, nil
}

// transpose is columns as rows, of numbers that are whole bytes, as fits says.
func transpose(raw checkpoint.Raw) (checkpoint.Raw, error) {
	if len(raw.Shape) != 2 {
		return raw, fmt.Errorf("a tensor of shape %v is no matrix", raw.Shape)
	}
	rows, cols, bytes := raw.Shape[0], raw.Shape[1], raw.Bytes
	raw.Shape = []int{cols, rows}
	if len(bytes) == 0 {
		return raw, nil
	}
	size := len(bytes) / (rows * cols)
	raw.Bytes = make([]byte, len(bytes))
	for r := range rows {
		for c := range cols {
			copy(raw.Bytes[(c*rows+r)*size:][:size], bytes[(r*cols+c)*size:])
		}
	}
	return raw, nil
}

// squeeze drops the sizes of a 1×1 convolution's kernel.
func squeeze(raw checkpoint.Raw) checkpoint.Raw {
	for len(raw.Shape) > 2 && raw.Shape[len(raw.Shape)-1] == 1 {
		raw.Shape = raw.Shape[:len(raw.Shape)-1]
	}
	return raw
}

// rules are the modules of one block, or those outside blocks, as a dialect
// and as diffusers call them.
type rules map[string][]string

// into adds the modules of a block to t. The prefixes end with a dot or are
// empty.
func (r rules) into(t Table, theirs, canonical string) {
	for name, parts := range r {
		m := Module{Parts: make([]string, len(parts))}
		for i, part := range parts {
			m.Parts[i] = canonical + part
		}
		t[theirs+name] = m
	}
}

// swap marks a module that is in the table.
func (t Table) swap(name string) {
	m := t[name]
	m.Swapped = true
	t[name] = m
}
