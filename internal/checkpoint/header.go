package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"
)

// A safetensors file is an 8-byte little-endian length, a JSON header of that
// length, and the tensors' bytes without gaps
// (huggingface/safetensors, README, section Format).
const (
	lengthBytes   = 8
	largestHeader = 100 << 20      // the format's own limit, rounded up
	metadataName  = "__metadata__" // of what is free text among the tensors
)

// widths is the bits of an element of each number format of safetensors.
var widths = map[string]int{
	"BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
	"F16": 16, "BF16": 16, "F32": 32, "F64": 64, "C64": 64,
	"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
	"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}

const downloadAgain = "download it again"

// entry is one tensor of a header.
type entry struct {
	name  string
	dtype string
	shape []int
	lo    int // bytes from the end of the header
	hi    int
}

// header is what the first bytes of a file say.
type header struct {
	entries  []entry // in the order of their bytes
	metadata map[string]string
	data     int // where the tensors' bytes start
}

// problem is a defect of a file, told without its path.
func problem(hint, format string, args ...any) *Error {
	return &Error{Problem: fmt.Sprintf(format, args...), Hint: hint}
}

// parse reads the header of a file of the given contents. Nothing that the
// file says of its sizes is trusted.
func parse(data []byte) (*header, *Error) {
	if len(data) < lengthBytes {
		return nil, problem(downloadAgain, "is no safetensors file: it has %d bytes", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	switch {
	case n > largestHeader:
		return nil, problem(downloadAgain, "is no safetensors file, or damaged: it claims a header of %d bytes", n)
	case n > uint64(len(data)-lengthBytes):
		return nil, problem(downloadAgain, "its header of %d bytes ends %d bytes after the file", n, n-uint64(len(data)-lengthBytes))
	}
	h := &header{data: lengthBytes + int(n)}
	if err := h.read(data[lengthBytes:h.data]); err != nil {
		return nil, err
	}
	return h, h.check(len(data) - h.data)
}

// read decodes the JSON.
func (h *header) read(text []byte) *Error {
	d := json.NewDecoder(bytes.NewReader(text))
	broken := func(err error) *Error {
		var named *Error
		if errors.As(err, &named) {
			return named
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return problem(downloadAgain, "its header is no JSON object of tensors (byte %d: %v)", d.InputOffset(), err)
	}
	if !utf8.Valid(text) {
		return broken(errors.New("not UTF-8"))
	}
	err := object(d, func(name string) error {
		if name == metadataName {
			return d.Decode(&h.metadata)
		}
		return h.add(d, name)
	})
	if err != nil {
		return broken(err)
	}
	if rest := bytes.TrimSpace(text[d.InputOffset():]); len(rest) > 0 {
		return broken(errors.New("bytes after the closing brace"))
	}
	return nil
}

// object has each decode the values of a JSON object. Unlike Decode it sees
// names that are there twice.
func object(d *json.Decoder, each func(name string) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return cmp.Or(err, errors.New("no opening brace"))
	}
	seen := map[string]bool{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := t.(string) // names in objects are strings
		if seen[name] {
			return problem(downloadAgain, "its header names %q twice", name)
		}
		seen[name] = true
		if err := each(name); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// add decodes one tensor.
func (h *header) add(d *json.Decoder, name string) error {
	e := entry{name: name}
	var offsets []int
	err := object(d, func(key string) (err error) {
		switch key {
		case "dtype":
			err = d.Decode(&e.dtype)
		case "shape":
			e.shape, err = integers(d)
		case "data_offsets":
			offsets, err = integers(d)
		default:
			err = d.Decode(new(json.RawMessage))
		}
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("tensor %q: %w", name, err)
	case e.shape == nil: // that of a scalar is empty, not absent
		return problem(downloadAgain, "tensor %q has no shape", name)
	case len(offsets) != 2:
		return problem(downloadAgain, "tensor %q has no pair of data_offsets", name)
	}
	e.lo, e.hi = offsets[0], offsets[1]
	h.entries = append(h.entries, e)
	return nil
}

// integers decodes a list of them, nil for null.
func integers(d *json.Decoder) ([]int, error) {
	var list []*int
	if err := d.Decode(&list); err != nil || list == nil {
		return nil, err
	}
	out := make([]int, len(list))
	for i, n := range list {
		if n == nil {
			return nil, errors.New("null among numbers")
		}
		out[i] = *n
	}
	return out, nil
}

// check holds every tensor's range against its shape, its neighbours and the
// size of the file.
func (h *header) check(size int) *Error {
	slices.SortStableFunc(h.entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.lo, b.lo), cmp.Compare(a.hi, b.hi)) })
	end := 0
	for _, e := range h.entries {
		want, err := e.bytes()
		switch {
		case err != nil:
			return err
		case e.lo < 0 || e.hi < e.lo:
			return problem(downloadAgain, "tensor %q has impossible offsets [%d, %d]", e.name, e.lo, e.hi)
		case e.hi-e.lo != want:
			return problem(downloadAgain, "tensor %q of %s %v takes %d bytes, its offsets [%d, %d] hold %d", e.name, e.dtype, e.shape, want, e.lo, e.hi, e.hi-e.lo)
		case e.lo < end:
			return problem(downloadAgain, "tensor %q overlaps the one before it by %d bytes", e.name, end-e.lo)
		case e.lo > end:
			return problem(downloadAgain, "%d bytes before tensor %q belong to none", e.lo-end, e.name)
		}
		end = e.hi
	}
	switch {
	case end > size:
		return problem(downloadAgain, "it ends %d bytes early", end-size)
	case end < size:
		return problem(downloadAgain, "%d bytes at its end belong to no tensor", size-end)
	}
	return nil
}

// bytes is the size of a tensor by its shape.
func (e entry) bytes() (int, *Error) {
	bits, ok := widths[e.dtype]
	if !ok {
		return 0, problem("it needs a newer taca, or is damaged", "tensor %q has the unknown number format %q", e.name, e.dtype)
	}
	total := bits
	for _, d := range e.shape {
		if d < 0 || d > 0 && total > math.MaxInt/d {
			return 0, problem(downloadAgain, "tensor %q has the impossible shape %v", e.name, e.shape)
		}
		total *= d
	}
	if total%8 != 0 {
		return 0, problem(downloadAgain, "tensor %q of %s %v is no whole number of bytes", e.name, e.dtype, e.shape)
	}
	return total / 8, nil
}
