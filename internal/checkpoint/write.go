package checkpoint

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"taca/internal/atomicfile"
	"taca/internal/tensor"
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
	for _, t := range tensors {
		if err := t.holds(t.Bytes); err != nil {
			return err
		}
	}
	_, err := write(w, tensors, metadata, func(w io.Writer, i int) error {
		_, err := w.Write(tensors[i].Bytes)
		return err
	})
	return err
}

// WriteStream writes the safetensors format, as WriteTo does, of tensors that
// need no bytes: fill writes those of one after the other. It returns the bytes
// of all.
func WriteStream(w io.Writer, tensors []Tensor, fill func(w io.Writer, i int) error) (int, error) {
	metadata := map[string]string{"format": "pt"} // without it Python's transformers refuses the file
	return write(w, tensors, metadata, fill)
}

func write(w io.Writer, tensors []Tensor, metadata map[string]string, fill func(w io.Writer, i int) error) (int, error) {
	given := len(tensors)
	tensors, metadata = pack(append(slices.Clip(tensors), scales(tensors)...), metadata)
	head, err := encodeHeader(tensors, metadata)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...)); err != nil {
		return 0, err
	}
	total := 0
	for i, t := range tensors {
		to := &counter{w: w}
		if i < given {
			err = fill(to, i)
		} else {
			_, err = to.Write(t.Bytes)
		}
		if err != nil {
			return 0, err
		}
		if want, _ := (entry{name: t.Name, dtype: t.Type, shape: t.Shape}).bytes(); to.n != want {
			return 0, fmt.Errorf("tensor %q of %s %v takes %d bytes, not %d", t.Name, t.Type, t.Shape, want, to.n)
		}
		total += to.n
	}
	return total, nil
}

// counter counts what passes.
type counter struct {
	w io.Writer
	n int
}

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += n
	return n, err
}

// holds is an error unless data can be t's.
func (t Tensor) holds(data []byte) error {
	want := 0
	d, ok := tensor.ParseDType(t.Type)
	switch {
	case ok && d.Rotated() && len(t.Shape) == 2:
		want = t.Shape[0] * d.RowBytes(t.Shape[1])
	case ok && d.Quantised():
		return fmt.Errorf("tensor %q is of %s, for which safetensors has no word", t.Name, t.Type)
	default:
		var problem *Error
		if want, problem = (entry{name: t.Name, dtype: t.Type, shape: t.Shape}).bytes(); problem != nil {
			return errors.New(problem.Problem)
		}
	}
	if len(data) != want {
		return fmt.Errorf("tensor %q of %s %v takes %d bytes, not %d", t.Name, t.Type, t.Shape, want, len(data))
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
		case t.Name == metadataName:
			return nil, fmt.Errorf("no tensor can be called %q", t.Name)
		}
		head[t.Name] = map[string]any{"dtype": t.Type, "shape": append([]int{}, t.Shape...), "data_offsets": [2]int{at, at + want}}
		at += want
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
