package tokenizer

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
)

func TestCutIsTheTextThatDidNotFit(t *testing.T) {
	clip := open(t, readFolder(t, "testdata", "clip-l"), "clip")
	t5 := open(t, readFolder(t, "testdata", "t5-nmt"), "t5")
	left := open(t, readFolder(t, "testdata", "t5-ident"), "t5") // truncates on the left
	long := strings.Repeat("the ", 75)
	for _, c := range []struct {
		name   string
		tok    Tokenizer
		text   string
		n      int
		cut    string
		length int
	}{
		{"all fits", clip, "A cat", 77, "", 4},
		{"exactly full", clip, long, 77, "", 77},
		{"one over", clip, long + "CAF\u00c9  End", 77, "CAF\u00c9  End", 77},
		{"within a word", clip, "0123456789", 5, "3456789", 5},
		{"within a character", clip, "\U0001f600", 3, "\U0001f600", 3},
		{"special token", clip, "1 2 <|endoftext|> 3", 4, "<|endoftext|> 3", 4},
		{"nothing fits", clip, " a b", 2, "a b", 2},
		{"less than the special tokens", clip, "a b", 1, "a b", 1},
		{"no room at all", clip, "a b", 0, "a b", 0},
		{"negative length", clip, "a b", -3, "a b", 0},
		{"white space has no ids", clip, "  ", 2, "", 2},
		{"normalised text is cut as written", t5, "the \u2460\u2461\u2462 \uff21", 2, "\u2460\u2461\u2462 \uff21", 2},
		{"sentinel", t5, "<extra_id_1> <extra_id_2> <extra_id_3>", 3, "<extra_id_3>", 3},
		{"bytes that are no text", clip, "a \xff", 3, "\xff", 3},
		{"on the left", left, "foo</w><new>BAZ", 3, "foo</w>", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := c.tok.Encode(c.text, c.n)
			if e.Cut != c.cut || e.Length != c.length || len(e.IDs) != max(c.n, 0) {
				t.Errorf("cut %q, length %d, %d ids %d; want cut %q, length %d, %d ids",
					e.Cut, e.Length, len(e.IDs), e.IDs, c.cut, c.length, max(c.n, 0))
			}
		})
	}
}

// TestInvalidBytesAreReplacementCharacters pins what the reference, whose strings are always Unicode, leaves open.
func TestInvalidBytesAreReplacementCharacters(t *testing.T) {
	for name, kind := range map[string]string{"clip-l": "clip", "t5-flux": "t5"} {
		tok := open(t, readFolder(t, "testdata", name), kind)
		got, want := all(tok, "a\xff\xc3b\xed\xa0\x80"), all(tok, "a\ufffd\ufffdb\ufffd\ufffd\ufffd")
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	tok := open(t, readFolder(t, "testdata", "t5-flux"), "t5")
	want := tok.Encode("e\u0301 \ufb01 <extra_id_1>", 20)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got := tok.Encode("e\u0301 \ufb01 <extra_id_1>", 20); !slices.Equal(got.IDs, want.IDs) {
				t.Errorf("got %d, want %d", got.IDs, want.IDs)
			}
		})
	}
	wg.Wait()
}

// TestTokenizerJSONWins checks which file is believed where a folder has several.
func TestTokenizerJSONWins(t *testing.T) {
	clip, t5 := readFolder(t, "testdata", "clip-json"), readFolder(t, "testdata", "t5-flux")
	maps.Copy(clip, readFolder(t, "testdata", "clip-bare"))
	for _, c := range []struct {
		kind   string
		folder fstest.MapFS
	}{{"clip", clip}, {"t5", t5}} {
		const text = "the quick brown fox <extra_id_3>"
		both := all(open(t, c.folder, c.kind), text)
		newer := files(tokenizerFile, string(c.folder[tokenizerFile].Data))
		older := maps.Clone(c.folder)
		delete(older, tokenizerFile)
		if got := all(open(t, newer, c.kind), text); !slices.Equal(got, both) {
			t.Errorf("%s: with tokenizer.json alone %d, with both %d", c.kind, got, both)
		}
		if got := all(open(t, older, c.kind), text); slices.Equal(got, both) {
			t.Errorf("%s: the vocabularies of this test do not differ", c.kind)
		}
	}
}
