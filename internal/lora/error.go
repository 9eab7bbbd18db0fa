package lora

import (
	"fmt"
	"strings"
)

// Error is an adapter file that cannot be applied as a whole; a partly applied
// one would be worse than none.
type Error struct {
	File    string
	Problem string
	Keys    []string // the tensors concerned
}

// Error names the first few tensors.
func (e *Error) Error() string {
	text := e.File + ": " + e.Problem
	if len(e.Keys) == 0 {
		return text
	}
	const most = 4
	if len(e.Keys) > most {
		return fmt.Sprintf("%s: %s, ... (%d in all)", text, strings.Join(e.Keys[:most], ", "), len(e.Keys))
	}
	return text + ": " + strings.Join(e.Keys, ", ")
}
