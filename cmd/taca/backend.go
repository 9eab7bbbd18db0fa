package main

import (
	"fmt"
	"strings"

	"taca/internal/cpu"
	"taca/internal/tensor"
)

// openBackend opens what --device names. It is the only place that knows the
// backends by name.
func openBackend(device string, threads int) (tensor.Backend, error) {
	switch {
	case device == "auto" || device == "cpu":
		b, err := cpu.Open(threads)
		if err != nil {
			return nil, deviceError{err}
		}
		return b, nil
	case device == "cuda" || strings.HasPrefix(device, "cuda:"):
		return nil, deviceError{fmt.Errorf("device %s: this binary has no CUDA backend; use --device cpu", device)}
	}
	return nil, usagef("device %q is unknown: use auto or cpu", device)
}

// instructionSets are those of this processor that the CPU backend knows.
func instructionSets() []string { return cpu.Available() }
