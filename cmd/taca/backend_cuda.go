//go:build cuda

package main

import (
	"fmt"
	"strconv"
	"strings"

	"taca/internal/cuda"
	"taca/internal/tensor"
)

// usableCard is the first card that can be computed on, if there is one.
func usableCard() (ordinal int, found bool) { return cuda.Usable() }

// shownCards lists the cards that the CUDA driver shows this process.
func shownCards() ([]shownCard, error) {
	cards, err := cuda.Cards()
	var shown []shownCard
	for _, c := range cards {
		shown = append(shown, shownCard(c))
	}
	return shown, err
}

// codeFor is what a card of this capability would run, or why nothing.
func codeFor(capability int) string {
	what, _ := cuda.Code(capability)
	return what
}

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

// ordinal is the i of cuda:i, 0 without.
func (h hardware) ordinal() (int, error) {
	_, number, given := strings.Cut(h.device, ":")
	if !given {
		return 0, nil
	}
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 {
		return 0, usagef("device %q: write cuda or cuda:0, cuda:1, ...", h.device)
	}
	return i, nil
}
