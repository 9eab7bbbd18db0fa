package compbench

import (
	"strings"
	"testing"

	"taca/internal/fuzztest"
)

// FuzzReadPrompts: whatever a category's file holds, an error, or prompts that
// the evaluators read back from the names of their pictures.
func FuzzReadPrompts(f *testing.F) {
	f.Add("a red cube\tcolour\r\na green cone\n")
	f.Add("a\u2028b\x1cc\u0085")
	f.Add(strings.Repeat("fox ", 80))
	f.Fuzz(func(t *testing.T, text string) {
		var prompts []string
		var err error
		fuzztest.Bounded(t, 1<<14, 64, len(text), func() { prompts, err = readPrompts(text) })
		if err != nil {
			return
		}
		for i, p := range prompts {
			name := Name(p, i)
			if read, _, _ := strings.Cut(name, "_"); read != p || len(name) > longestName || strings.ContainsAny(name, "/\x00") {
				t.Errorf("%q is painted into %q", p, name)
			}
		}
	})
}
