//go:build !cuda

package pipeline_test

import (
	"taca/internal/cpu"
	"taca/internal/tensor"
)

// openDevice opens what the goldens are compared on: the processor.
func openDevice() (tensor.Backend, error) { return cpu.Open(2) }
