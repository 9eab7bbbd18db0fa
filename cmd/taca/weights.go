package main

import (
	"taca/internal/checkpoint"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// weightFormats are what --weights names.
var weightFormats = map[string]tensor.DType{"bf16": tensor.BF16, "f8": tensor.F8E4M3, "q8": tensor.Q8, "q4": tensor.Q4}

// readModelIn is readModel, whose transformer's weights will be converted to
// the format that --weights names, if any.
func readModelIn(weights string, folder *checkpoint.Folder, err error) (*pipeline.Model, error) {
	d, known := weightFormats[weights]
	if weights != "" && !known {
		return nil, unknownWeights(weights)
	}
	m, err := readModel(folder, err)
	if err == nil && known {
		m.Convert(d)
	}
	return m, err
}

func unknownWeights(name string) error {
	return usagef("weights %q are unknown: use bf16, f8, q8 or q4", name)
}
