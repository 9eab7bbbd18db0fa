package lora

import (
	"fmt"
	"slices"
	"strings"
)

// Error is an adapter file that cannot be applied as a whole; a partly applied
// one would be worse than none.
type Error struct {
	File string
	Omission
	Hint string // what to do, or empty
}

// Omission is tensors that are of no use, and why.
type Omission struct {
	Problem string
	Keys    []string
}

// Error names the first few tensors.
func (e *Error) Error() string {
	const most = 4
	text := e.File + ": " + e.Problem
	switch n := len(e.Keys); {
	case n > most:
		text += fmt.Sprintf(": %s, ... (%d in all)", strings.Join(e.Keys[:most], ", "), n)
	case n > 0:
		text += ": " + strings.Join(e.Keys, ", ")
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// String is all of it, on one line.
func (o Omission) String() string { return o.Problem + ": " + strings.Join(o.Keys, ", ") }

// omissions are problems and the tensors that have them.
type omissions []Omission

// add notes a problem.
func (o *omissions) add(problem string, keys ...string) {
	i := slices.IndexFunc(*o, func(known Omission) bool { return known.Problem == problem })
	if i < 0 {
		i, *o = len(*o), append(*o, Omission{Problem: problem})
	}
	(*o)[i].Keys = append((*o)[i].Keys, keys...)
}
