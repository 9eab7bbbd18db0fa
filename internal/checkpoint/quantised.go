package checkpoint

import (
	"maps"
	"slices"

	"taca/internal/tensor"
)

// Safetensors has no word for rows of scaled integers. They are stored as U8,
// rows × tensor.DType.RowBytes, and the file's metadata says which format all
// matrices of U8 have.
const quantisedKey = "taca_quantised"

// unpack gives quantised matrices their format and their number of columns.
func (f *File) unpack() *Error {
	name, ok := f.metadata[quantisedKey]
	if !ok {
		return nil
	}
	d, known := tensor.ParseDType(name)
	if !known || !d.Rotated() {
		return problem("it needs a newer taca", "it holds weights in the unknown format %q", name)
	}
	for name, r := range f.tensors {
		if r.Type != "U8" || len(r.Shape) != 2 {
			continue
		}
		cols, ok := d.RotatedColumns(r.Shape[1])
		if !ok {
			return problem("convert it again", "tensor %q has rows of %d bytes, which are no row of %v", name, r.Shape[1], d)
		}
		f.tensors[name] = Raw{Shape: []int{r.Shape[0], cols}, Type: d.String(), Bytes: r.Bytes}
	}
	return nil
}

// pack is the opposite of unpack. All rotated tensors have one format.
func pack(tensors []Tensor, metadata map[string]string) ([]Tensor, map[string]string) {
	tensors, metadata = slices.Clone(tensors), maps.Clone(metadata)
	for i, t := range tensors {
		d, ok := tensor.ParseDType(t.Type)
		if !ok || !d.Rotated() {
			continue
		}
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[quantisedKey] = d.String()
		tensors[i].Type, tensors[i].Shape = "U8", []int{t.Shape[0], d.RowBytes(t.Shape[1])}
	}
	return tensors, metadata
}
