package pipeline

import (
	"slices"
	"strings"
	"unicode"

	"taca/internal/attention"
)

// Words is the words of a prompt that are read at all: a word may be cut off,
// or be nothing to an encoder.
func (m *Model) Words(prompt string, maxLength int) ([]attention.Word, error) {
	if err := checkLength(maxLength); err != nil {
		return nil, err
	}
	words, ends := wordsOf(prompt)
	for i, e := range m.family.encoders() {
		row, ok := m.family.textRow(i)
		if !ok {
			continue
		}
		t, err := m.tokenizer(e)
		if err != nil {
			return nil, err
		}
		for n, at := range t.Encode(prompt, e.length(maxLength)).At {
			// A token that begins with the space before a word is the word's.
			if k, _ := slices.BinarySearch(ends, at+1); at >= 0 && k < len(words) {
				words[k].Tokens = append(words[k].Tokens, row+n)
			}
		}
	}
	return slices.DeleteFunc(words, func(w attention.Word) bool { return len(w.Tokens) == 0 }), nil
}

// wordsOf cuts a prompt at white space, and says where each word ends.
func wordsOf(prompt string) (words []attention.Word, ends []int) {
	for at := 0; at < len(prompt); {
		rest := strings.TrimLeftFunc(prompt[at:], unicode.IsSpace)
		at = len(prompt) - len(rest)
		n := strings.IndexFunc(rest, unicode.IsSpace)
		if n < 0 {
			n = len(rest)
		}
		if n > 0 {
			words, ends = append(words, attention.Word{Text: rest[:n]}), append(ends, at+n)
		}
		at += n
	}
	return words, ends
}
