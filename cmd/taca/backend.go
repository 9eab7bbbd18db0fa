package main

import (
	"fmt"

	"taca/internal/cpu"
	"taca/internal/tensor"
)

// openBackend opens what --device names. Files called backend are the only
// ones that know the backends by name.
func openBackend(h hardware) (tensor.Backend, error) {
	if h.device == "auto" {
		if i, found := usableCard(); found {
			h.device = fmt.Sprintf("cuda:%d", i)
		}
	}
	switch {
	case h.onCard():
		return openCard(h)
	case h.device == "auto" || h.device == "cpu":
		b, err := cpu.Open(h.threads)
		if err != nil {
			return nil, deviceError{err}
		}
		b.Limit(h.room.Bytes, h.room.Cache)
		return b, nil
	}
	return nil, usagef("device %q is unknown: use auto, cpu, cuda or cuda:i", h.device)
}

// instructionSets are those of this processor that the CPU backend knows.
func instructionSets() []string { return cpu.Available() }
