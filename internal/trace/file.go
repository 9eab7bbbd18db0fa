package trace

import (
	"fmt"

	"taca/internal/checkpoint"
)

// Read is the matrices of a safetensors file in the order of their bytes,
// which is forward order in the files of Write. The last dimension of a
// tensor is its columns.
func Read(source checkpoint.Source) ([]Named, error) {
	var all []Named
	for _, name := range source.Names() {
		raw, _ := source.Tensor(name)
		values, err := checkpoint.Floats(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: tensor %s: %w", source, name, err)
		}
		n := Named{Name: name, Rows: 1, Cols: 1, Values: values}
		if last := len(raw.Shape) - 1; last >= 0 {
			n.Cols = raw.Shape[last]
			for _, d := range raw.Shape[:last] {
				n.Rows *= d
			}
		}
		all = append(all, n)
	}
	return all, nil
}

// Write writes matrices to a safetensors file, as F32.
func Write(path string, all []Named) error {
	tensors := make([]checkpoint.Tensor, len(all))
	for i, n := range all {
		tensors[i] = checkpoint.FromFloats(n.Name, []int{n.Rows, n.Cols}, n.Values)
	}
	return checkpoint.Write(path, tensors, nil)
}
