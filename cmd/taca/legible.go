package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// legible is text as a terminal may have it. Messages name what files hold, and
// such a name could otherwise move the cursor, or begin a line that looks like
// one of ours. Characters of keep stay.
func legible(text, keep string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch broken := r == utf8.RuneError && size == 1; {
		case !broken && (unicode.IsPrint(r) || strings.ContainsRune(keep, r)):
			b.WriteString(text[:size])
		default:
			quoted := strconv.Quote(text[:size])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}
