//go:build cuda

package main

import (
	"fmt"

	"taca/internal/cuda"
	"taca/internal/tensor"
)

// cardPresent reports whether a card can be computed on.
func cardPresent() bool { return cuda.Usable() }

// openCard opens cuda[:i].
func openCard(h hardware) (tensor.Backend, error) {
	i, err := h.ordinal()
	if err != nil {
		return nil, err
	}
	b, err := cuda.Open(cuda.Options{Ordinal: i, Limit: h.memory, Offload: h.offload})
	if err != nil {
		return nil, deviceError{fmt.Errorf("device %s: %w", h.device, err)}
	}
	return b, nil
}
