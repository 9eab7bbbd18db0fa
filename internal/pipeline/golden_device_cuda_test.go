//go:build cuda

package pipeline_test

import (
	"taca/internal/cuda"
	"taca/internal/residency"
	"taca/internal/tensor"
)

// openDevice opens what the goldens are compared on: the first card.
func openDevice() (tensor.Backend, error) {
	return cuda.Open(cuda.Options{Offload: residency.Auto})
}
