package tokenizer

import (
	"fmt"
	"slices"
	"testing"
)

// TestExtractTakesWhiteSpace covers what ids cannot show, for models drop white space: where added tokens start and
// end.
func TestExtractTakesWhiteSpace(t *testing.T) {
	no := false
	v := newAddedVocabulary([]addedToken{
		{content: "<l>", lstrip: true, normalized: &no},
		{content: "<r>", rstrip: true, normalized: &no},
		{content: "<b>", lstrip: true, rstrip: true, normalized: &no},
		{content: "<n>", normalized: &no},
		{content: " ", normalized: &no, lstrip: true},
	}, nil, 10)
	identity := func(a aligned) aligned { return a }
	v.prepare(identity)
	for text, want := range map[string][]string{
		"":                nil,
		"a<n>b":           {"a", "13:<n>", "b"},
		"a\t\n<l>\tb":     {"a", "10:\t\n<l>", "\tb"},
		"a\t<r>\u3000\tb": {"a\t", "11:<r>\u3000\t", "b"},
		"\t<b>\t<b>\t":    {"12:\t<b>\t", "12:<b>\t"},
		"<n><n>":          {"13:<n>", "13:<n>"},
		"<r> x":           {"11:<r> ", "x"},
	} {
		var got []string
		for _, s := range v.extract(align(text), identity) {
			if s.added {
				got = append(got, fmt.Sprintf("%d:%s", s.id, s.text.text))
			} else {
				got = append(got, s.text.text)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
