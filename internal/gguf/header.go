package gguf

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Magic is what a GGUF file begins with.
const Magic = "GGUF"

// Header is what the first bytes of a file say.
type Header struct {
	Tensors  []Tensor // in the order of their bytes
	Metadata map[string]string
	End      int // of the header
}

// Tensor is one tensor of a file.
type Tensor struct {
	Name  string
	Shape []int  // outermost first, as PyTorch has it
	Type  string // number format: F32, Q4_K, ...
	Lo    int    // byte of the file
	Hi    int
}

// Unread is a sound file that is not one of those that are read.
type Unread struct{ what string }

// Error says what it is.
func (u *Unread) Error() string { return u.what }

// The sizes that files may have.
const (
	largestHeader = 100 << 20 // vocabularies included
	mostDims      = 8
	alignmentKey  = "general.alignment"
	alignment     = 32 // where the metadata has no other
	// shapeKey is before a tensor's name: the shape it had before a converter
	// folded it into the four sizes that ggml has room for (city96's
	// ComfyUI-GGUF).
	shapeKey = "comfy.gguf.orig_shape."
)

// Parse reads the header of a file of the given contents.
func Parse(data []byte) (*Header, error) {
	if !strings.HasPrefix(string(data[:min(len(data), len(Magic))]), Magic) {
		return nil, fmt.Errorf("is no GGUF file")
	}
	r := &reader{data: data[:min(len(data), largestHeader)], at: len(Magic), limited: len(data) > largestHeader}
	version := r.u32()
	switch {
	case r.err != nil:
		return nil, r.err
	case version>>16 != 0 && version&0xffff == 0:
		return nil, &Unread{"is a GGUF file for big-endian machines"}
	case version != 2 && version != 3:
		return nil, &Unread{fmt.Sprintf("is a GGUF file of version %d, and only 2 and 3 are read", version)}
	}
	tensors, pairs := r.u64(), r.u64()
	h := &Header{Metadata: map[string]string{}}
	shapes := map[string][]int{}
	for i := uint64(0); i < pairs && r.err == nil; i++ {
		h.pair(r, shapes)
	}
	seen := map[string]bool{}
	for i := uint64(0); i < tensors && r.err == nil; i++ {
		h.tensor(r, shapes, seen)
	}
	if r.err != nil {
		return nil, r.err
	}
	h.End = r.at
	return h, h.place(len(data))
}

// pair reads one key and value.
func (h *Header) pair(r *reader, shapes map[string][]int) {
	key := r.name("a key")
	if _, twice := h.Metadata[key]; twice {
		r.fail("its header has the key %q twice", key)
	}
	text, list := r.value()
	if name, ok := strings.CutPrefix(key, shapeKey); ok && list != nil {
		shapes[name] = list
	}
	h.Metadata[key] = text
}

// tensor reads one tensor's entry.
func (h *Header) tensor(r *reader, shapes map[string][]int, seen map[string]bool) {
	t := Tensor{Name: r.name("a tensor's name")}
	switch {
	case t.Name == "":
		r.fail("its header has a tensor without a name")
	case seen[t.Name]:
		r.fail("its header names tensor %q twice", t.Name)
	}
	seen[t.Name] = true
	dims := r.u32()
	if dims > mostDims {
		r.fail("tensor %q has %d sizes", t.Name, dims)
	}
	elements := 1
	for i := uint32(0); i < dims && r.err == nil; i++ {
		d := r.u64()
		if d > math.MaxInt32 || d > 0 && elements > math.MaxInt/64/int(d) { // 64 bits are the widest format
			r.fail("tensor %q has the impossible size %d", t.Name, d)
			return
		}
		elements *= int(d)
		t.Shape = append(t.Shape, int(d))
	}
	kind, offset := r.u32(), r.u64()
	if r.err != nil {
		return
	}
	f, ok := formats[kind]
	columns := 1
	if dims > 0 {
		columns = t.Shape[0]
	}
	slices.Reverse(t.Shape)
	switch {
	case !ok:
		r.fail("tensor %q has the unknown number format %d", t.Name, kind)
	case f.bytes == 0:
		r.err = &Unread{fmt.Sprintf("tensor %q is in %s, which is not read", t.Name, f.name)}
	case columns%f.columns != 0:
		r.fail("tensor %q of %s has rows of %d numbers, which are no whole blocks of %d", t.Name, f.name, columns, f.columns)
	case offset > math.MaxInt/4:
		r.fail("tensor %q has the impossible offset %d", t.Name, offset)
	}
	if r.err == nil {
		t.Type, t.Lo = f.name, int(offset)
		t.Hi = t.Lo + elements/f.columns*f.bytes
		h.Tensors = append(h.Tensors, r.reshape(t, shapes[t.Name], f.columns))
	}
}

// reshape gives a tensor the shape it had before it was converted.
func (r *reader) reshape(t Tensor, shape []int, columns int) Tensor {
	if shape == nil {
		return t
	}
	had, has := product(t.Shape), product(shape)
	if has < 0 || had != has || len(shape) == 0 || shape[len(shape)-1]%columns != 0 {
		r.fail("tensor %q of %s %v had, by its metadata, the shape %v", t.Name, t.Type, t.Shape, shape)
		return t
	}
	t.Shape = shape
	return t
}

// product is the elements of a shape, or -1 if there can be none such.
func product(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt/d {
			return -1
		}
		n *= d
	}
	return n
}

// place makes offsets of the file of those of the data, and holds them against
// each other and the size of the file.
func (h *Header) place(size int) error {
	align := alignment
	if text, ok := h.Metadata[alignmentKey]; ok {
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 || n > 1<<20 || n%8 != 0 {
			return fmt.Errorf("its header has the impossible %s %s", alignmentKey, text)
		}
		align = n
	}
	start := (h.End + align - 1) / align * align
	slices.SortStableFunc(h.Tensors, func(a, b Tensor) int { return cmp.Or(cmp.Compare(a.Lo, b.Lo), cmp.Compare(a.Hi, b.Hi)) })
	end := 0
	for i := range h.Tensors {
		t := &h.Tensors[i]
		switch {
		case t.Lo%align != 0:
			return fmt.Errorf("tensor %q begins at byte %d of the data, which is no multiple of %d", t.Name, t.Lo, align)
		case t.Lo < end:
			return fmt.Errorf("tensor %q overlaps the one before it by %d bytes", t.Name, end-t.Lo)
		case t.Hi > size-start:
			return fmt.Errorf("it ends %d bytes early, within tensor %q", t.Hi-(size-start), t.Name)
		case t.Lo-end >= align: // ggml reads none either, and a damaged size or format would show nowhere else
			return fmt.Errorf("%d bytes before tensor %q belong to none", t.Lo-end, t.Name)
		}
		end = t.Hi
		t.Lo, t.Hi = t.Lo+start, t.Hi+start
	}
	if left := size - start - end; left >= align {
		return fmt.Errorf("%d bytes at its end belong to no tensor", left)
	}
	return nil
}
