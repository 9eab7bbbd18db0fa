package nn

import (
	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// use is by which verbs a tensor is read.
type use int

const (
	byAny    use = iota // elements have an address, and no scale
	byGather            // they may lie in blocks
	byLinear            // they may be rotated as well
)

// takes reports whether the verbs of u read raw, of format d.
func (u use) takes(raw checkpoint.Raw, d tensor.DType) bool {
	switch {
	case d.Rotated():
		return u == byLinear
	case d.Quantised() || raw.Scale != 0:
		return u != byAny
	}
	return true
}
