//go:build !cuda

package main

import "taca/internal/tensor"

// listCards says how to get a program that can.
func listCards() cardList {
	return cardList{Remarks: []string{"not in this binary: build the one that has it with scripts/build"}, Cards: []card{}}
}

// cardMeter has no card to watch.
func cardMeter(tensor.Backend) (read func() string, stop func()) { return nil, func() {} }
