//go:build cuda

package main

import "errors"

// shownCards lists the cards that the CUDA driver shows this process.
func shownCards() ([]shownCard, error) {
	return nil, errors.New("the CUDA driver is not asked yet")
}

// codeFor is what a card of this capability would run.
func codeFor(int) string { return "" }
