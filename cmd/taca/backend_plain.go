//go:build !cuda

package main

import (
	"fmt"

	"taca/internal/tensor"
)

// usableCard is the first card that can be computed on: none.
func usableCard() (ordinal int, found bool) { return 0, false }

// openCard says how to get a program that can.
func openCard(h hardware) (tensor.Backend, error) {
	return nil, deviceError{fmt.Errorf("device %s: this binary has no CUDA backend: build the one that has with scripts/build, or use --device cpu", h.device)}
}
