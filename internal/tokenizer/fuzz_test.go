package tokenizer

import (
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"taca/internal/fuzztest"
)

// probe is text that takes every path.
const probe = "A caf\u00e9 e\u0301 \ufb01 \u2460\u0301 \r\n\x00 \ud55c\uad6d </s> <extra_id_0> <|endoftext|>'s \U0001f468\u200d\U0001f469 \u2581x\xff"

// check looks at what must hold for any tokenizer and text.
func check(t *testing.T, tok Tokenizer, text string, n int) {
	t.Helper()
	e := tok.Encode(text, n)
	if len(e.IDs) != max(n, 0) || e.Length > len(e.IDs) || e.Length < 0 {
		t.Errorf("%d ids, length %d, asked for %d", len(e.IDs), e.Length, n)
	}
	if !strings.HasSuffix(text, e.Cut) && !strings.HasPrefix(text, e.Cut) {
		t.Errorf("cut %q is no end of %q", e.Cut, text)
	}
	for _, id := range e.IDs {
		if id < 0 {
			t.Errorf("id %d", id)
		}
	}
}

// bounded opens a folder of size foreign bytes, and is nil where it is refused.
// The constant is for the sentinels, of which a folder may want maxExtraIDs, and
// for what is not foreign.
func bounded(t *testing.T, open func(fs.FS) (Tokenizer, error), folder fs.FS, size int) (tok Tokenizer) {
	t.Helper()
	fuzztest.Bounded(t, 96<<20, 4<<10, size, func() {
		var err error
		if tok, err = open(folder); err != nil {
			tok = nil
		}
	})
	return tok
}

func FuzzSpiece(f *testing.F) {
	f.Add(readFolder(f, "testdata", "t5-bytes")["spiece.model"].Data[:400]) // real pieces, cut within one
	f.Add([]byte("\x0a\x08\x0a\x01a\x15\x00\x00\x80\xbf\x0a\x03\x0a\x01b\x0a\x05\x0a\x01c\x18\x04\x1a\x0e\x12\x0c\x04\x00\x00\x00\x61\x05\x00\x00ab\x00c"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok := bounded(t, OpenT5, files("spiece.model", string(b)), len(b)); tok != nil {
			check(t, tok, probe, 40)
		}
	})
}

func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b</w>":1,"ab</w>":2,"<|endoftext|>":3},"merges":["a b</w>"]},"padding":{"direction":"Left"}}`))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":0,"b</w>":1,"ab</w>":2},"merges":[["a","b</w>"]]},"added_tokens":[{"id":7,"content":"\u2581x","single_word":true}]}`))
	f.Add([]byte(`{"model":{"type":"Unigram","vocab":[["a",0],["b",-1.5],["\u2581",0]]},"normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"BAAAAGEFAABhYgBj"}]},"added_tokens":[{"id":1,"content":"x","lstrip":true,"rstrip":true,"normalized":true}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok := bounded(t, OpenT5, files("tokenizer.json", string(b)), len(b)); tok != nil {
			check(t, tok, probe, 40)
		}
		if tok := bounded(t, OpenCLIP, files("tokenizer.json", string(b)), len(b)); tok != nil {
			check(t, tok, probe, 77)
		}
	})
}

// FuzzConfig feeds the small files of a folder.
func FuzzConfig(f *testing.F) {
	for _, name := range []string{"clip-g", "clip-l", "t5-ident", "t5-split"} {
		folder := readFolder(f, "testdata", name)
		for _, file := range []string{configFile, specialMapFile, oldAddedFile} {
			if data, ok := folder[file]; ok {
				f.Add(data.Data, data.Data)
			}
		}
	}
	f.Add([]byte(`{"extra_ids":65536}`), []byte(`{}`)) // as many as may be
	clip, t5 := readFolder(f, "testdata", "clip-json"), readFolder(f, "testdata", "t5-tiny")
	f.Fuzz(func(t *testing.T, config, special []byte) {
		small := files(configFile, string(config), specialMapFile, string(special), oldAddedFile, string(special))
		small[tokenizerFile] = clip[tokenizerFile]
		if tok := bounded(t, OpenCLIP, small, len(config)+2*len(special)); tok != nil {
			check(t, tok, probe, 20)
		}
		small[tokenizerFile] = t5[tokenizerFile]
		if tok := bounded(t, OpenT5, small, len(config)+2*len(special)); tok != nil {
			check(t, tok, probe, 20)
		}
	})
}

func FuzzPrompt(f *testing.F) {
	clip := open(f, readFolder(f, "testdata", "clip-odd"), "clip")
	t5 := open(f, readFolder(f, "testdata", "t5-nmt"), "t5")
	f.Add(probe, 12)
	f.Add("  bar  bar<new> <new>", 3)
	f.Fuzz(func(t *testing.T, text string, n int) {
		n = min(n, 1<<10)
		check(t, clip, text, n)
		check(t, t5, text, n)
		if utf8.ValidString(text) {
			if e := t5.Encode(text, len(text)*20+8); e.Cut != "" {
				t.Errorf("%q was cut from %q, which has room", e.Cut, text)
			}
		}
	})
}

// FuzzMerges feeds the older files of CLIP: a vocabulary, and merges by lines.
func FuzzMerges(f *testing.F) {
	whole := readFolder(f, "testdata", "clip-l")
	f.Add(whole["vocab.json"].Data, whole["merges.txt"].Data)
	f.Add([]byte(`{"a":0,"b</w>":1,"ab</w>":2,"<|endoftext|>":3}`), []byte("#version: 0.2\na b</w>\r\n"))
	f.Add([]byte(`{"a":2147483647,"<|endoftext|>":0}`), []byte("a  b\n"))
	f.Fuzz(func(t *testing.T, vocabulary, merges []byte) {
		folder := files("vocab.json", string(vocabulary), "merges.txt", string(merges))
		if tok := bounded(t, OpenCLIP, folder, len(vocabulary)+len(merges)); tok != nil {
			check(t, tok, probe, 77)
		}
	})
}
