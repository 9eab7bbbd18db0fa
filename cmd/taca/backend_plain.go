//go:build !cuda

package main

import (
	"fmt"

	"taca/internal/tensor"
)

// cardPresent reports whether a card can be computed on.
func cardPresent() bool { return false }

// openCard says how to get a program that can.
func openCard(h hardware) (tensor.Backend, error) {
	return nil, deviceError{fmt.Errorf("device %s: this binary has no CUDA backend: build the one that has with scripts/build, or use --device cpu", h.device)}
}
