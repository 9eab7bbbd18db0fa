package convert

import (
	"taca/internal/checkpoint"
	"taca/internal/quantise"
	"taca/internal/tensor"
)

// Twice is a format of fewer than 16 bits in which a transformer holds weights
// that would be rounded a second time; empty where there are none.
func Twice(s checkpoint.Source, to tensor.DType) string {
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		from, ok := tensor.ParseDType(raw.Type)
		if ok && to != tensor.BF16 && from.RowBytes(256) < tensor.BF16.RowBytes(256) && quantise.Becomes(name, raw, to).Type == to.String() && from != to {
			return raw.Type
		}
	}
	return ""
}
