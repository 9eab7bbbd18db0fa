//go:build !cuda

package main

// listCards says how to get a program that can.
func listCards() cardList {
	return cardList{Remarks: []string{"not in this binary: build the one that has it with scripts/build"}, Cards: []card{}}
}
