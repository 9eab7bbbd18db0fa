package tokenizer

import "unicode/utf8"

// aligned is text on its way through normalisation: byte i of text stems from byte at[i] of the prompt.
type aligned struct {
	text string
	at   []int
}

func (a aligned) slice(lo, hi int) aligned { return aligned{a.text[lo:hi], a.at[lo:hi]} }

// align starts the journey of a prompt. Bytes that are not UTF-8 become U+FFFD.
func align(prompt string) aligned {
	var b alignedBuilder
	for i, r := range prompt {
		b.add(r, i)
	}
	return b.aligned()
}

// alignedBuilder collects characters and where they came from.
type alignedBuilder struct {
	text []byte
	at   []int
}

func (b *alignedBuilder) add(r rune, at int) {
	b.text = utf8.AppendRune(b.text, r)
	for len(b.at) < len(b.text) {
		b.at = append(b.at, at)
	}
}

func (b *alignedBuilder) addString(s string, at int) {
	for _, r := range s {
		b.add(r, at)
	}
}

func (b *alignedBuilder) aligned() aligned { return aligned{string(b.text), b.at} }
