package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"taca/internal/atomicfile"
)

// Tensor is a tensor to be written.
type Tensor struct {
	Name string
	Raw
}

// FromFloats is an F32 tensor of the given values.
func FromFloats(name string, shape []int, values []float32) Tensor {
	data := make([]byte, 0, 4*len(values))
	for _, v := range values {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	return Tensor{name, Raw{Shape: shape, Type: "F32", Bytes: data}}
}

// Write writes a safetensors file, whole or not at all.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return WriteTo(w, tensors, metadata) })
}

// WriteTo writes the safetensors format, tensors in the order given.
func WriteTo(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	head, err := encodeHeader(tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(head)))); err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Bytes); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader is the JSON, padded with spaces so that the tensors start at a
// multiple of 8.
func encodeHeader(tensors []Tensor, metadata map[string]string) ([]byte, error) {
	head := map[string]any{}
	at := 0
	for _, t := range tensors {
		if _, twice := head[t.Name]; twice {
			return nil, fmt.Errorf("two tensors are called %q", t.Name)
		}
		want, problem := entry{name: t.Name, dtype: t.Type, shape: t.Shape}.bytes()
		switch {
		case problem != nil:
			return nil, errors.New(problem.Problem)
		case want != len(t.Bytes):
			return nil, fmt.Errorf("tensor %q of %s %v takes %d bytes, not %d", t.Name, t.Type, t.Shape, want, len(t.Bytes))
		case t.Name == metadataName:
			return nil, fmt.Errorf("no tensor can be called %q", t.Name)
		}
		head[t.Name] = map[string]any{"dtype": t.Type, "shape": append([]int{}, t.Shape...), "data_offsets": [2]int{at, at + len(t.Bytes)}}
		at += len(t.Bytes)
	}
	if len(metadata) > 0 {
		head[metadataName] = metadata
	}
	text, err := json.Marshal(head)
	for len(text)%8 != 0 {
		text = append(text, ' ')
	}
	return text, err
}
