package pipeline_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/pipeline"
)

// TestWords: every token of a prompt belongs to one word, in order, whatever
// stands between words and however many pieces one has.
func TestWords(t *testing.T) {
	m, err := pipeline.Read(demo.Folder())
	if err != nil {
		t.Fatal(err)
	}
	for prompt, want := range map[string]string{
		"a red sphere":                        "a red sphere",
		"  a  red\n\tsphere, ":                "a red sphere,",
		"red":                                 "red",
		"":                                    "",
		" \n ":                                "",
		"unquestionable antidisestablishment": "unquestionable antidisestablishment",
		"ein würfel – blau":                   "ein würfel – blau",
	} {
		words, err := m.Words(prompt, 32)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		next := 0
		for _, w := range words {
			texts = append(texts, w.Text)
			for _, row := range w.Tokens {
				if row != next {
					t.Errorf("%q: %q has token %d, want %d", prompt, w.Text, row, next)
				}
				next++
			}
		}
		read, err := m.Tokenize(prompt, 32)
		if err != nil {
			t.Fatal(err)
		}
		if own := read[1].Length - 1; next != own { // without the end token
			t.Errorf("%q: words have %d tokens, T5 reads %d", prompt, next, own)
		}
		if got := strings.Join(texts, " "); got != want {
			t.Errorf("%q: words are %q, want %q", prompt, got, want)
		}
	}
	if words, err := m.Words("a red sphere and a blue cube", 4); err != nil || len(words) != 3 {
		t.Errorf("of a prompt that is cut %v are read (%v)", words, err)
	}
	if _, err := m.Words("a", 0); err == nil {
		t.Error("no tokens at all are accepted")
	}
}

// clipRows are the rows of CLIP's tokens.
const clipRows = 77

// TestWordsOfSD3 come from CLIP and from T5, whose rows follow CLIP's.
func TestWordsOfSD3(t *testing.T) {
	for folder, want := range map[string]string{"sd3": "[clip t5]", "sd3-no-t5": "[clip]"} {
		files, err := checkpoint.OpenFolder(withTokenizers(t, filepath.Join("testdata", folder, "model")))
		if err != nil {
			t.Fatal(err)
		}
		m, err := pipeline.Read(files)
		if err != nil {
			t.Fatal(err)
		}
		words, err := m.Words("a cat", 16)
		if err != nil || len(words) != 2 {
			t.Fatalf("%s: %v (%v)", folder, words, err)
		}
		for _, w := range words {
			var from []string
			last := -1
			for _, row := range w.Tokens {
				kind := "clip"
				if row >= clipRows {
					kind = "t5"
				}
				if row <= last {
					t.Errorf("%s: tokens of %q are %v", folder, w.Text, w.Tokens)
				}
				if last = row; len(from) == 0 || from[len(from)-1] != kind {
					from = append(from, kind)
				}
			}
			if got := fmt.Sprint(from); got != want {
				t.Errorf("%s: %q is read by %s, want %s: %v", folder, w.Text, got, want, w.Tokens)
			}
		}
		if words[0].Tokens[0] != 1 { // after the start token
			t.Errorf("%s: the first word's first row is %d", folder, words[0].Tokens[0])
		}
	}
}
