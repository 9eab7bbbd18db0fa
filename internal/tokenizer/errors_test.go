package tokenizer

import (
	"strings"
	"testing"
	"testing/fstest"
)

const lfsPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"

func files(pairs ...string) fstest.MapFS {
	f := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		f[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return f
}

// unigramStart is the start of a small but whole tokenizer.json.
const unigramStart = `{"model":{"type":"Unigram","vocab":[["<pad>",0],["</s>",0],["<unk>",0]]},"added_tokens":[]`

// badFolders are folders that cannot be opened and what the error must say.
var badFolders = []struct {
	name   string
	kind   string
	folder fstest.MapFS
	want   []string
}{
	{"empty clip folder", "clip", files(), []string{"tokenizer.json", "vocab.json", "merges.txt"}},
	{"empty t5 folder", "t5", files(), []string{"tokenizer.json", "spiece.model"}},
	{"vocabulary without merges", "clip", files("vocab.json", "{}"), []string{"merges.txt", "not exist", "vocab.json needs it"}},
	{"merge of one part", "clip", files("vocab.json", "{}", "merges.txt", "#version: 0.2\na b\nab\n"), []string{"merges.txt", "line 3", `"ab"`}},
	{"merge outside the vocabulary", "clip", files("vocab.json", `{"<|endoftext|>":0}`, "merges.txt", "a b\n"), []string{"vocab.json", "merge 1", `"a"`}},
	{"bytes missing", "clip", files("vocab.json", `{"a":0}`, "merges.txt", ""), []string{"vocab.json", "byte 0x00", "<|endoftext|>"}},
	{"negative id", "clip", files("vocab.json", `{"a":-1}`, "merges.txt", ""), []string{"vocab.json", `"a"`, "-1"}},
	{"id too large", "clip", files("vocab.json", `{"a":99999999999}`, "merges.txt", ""), []string{"vocab.json", "99999999999"}},
	{"not json", "clip", files("tokenizer.json", "{"), []string{"tokenizer.json", "unexpected end"}},
	{"unigram for clip", "clip", files("tokenizer.json", unigramStart+"}"), []string{"tokenizer.json", "Unigram", "BPE"}},
	{"no merges", "clip", files("tokenizer.json", `{"model":{"type":"BPE","vocab":{}}}`), []string{"tokenizer.json", "merges"}},
	{"merge of three", "clip", files("tokenizer.json", `{"model":{"type":"BPE","vocab":{},"merges":["a b c"]}}`), []string{"tokenizer.json", "3 parts"}},
	{"bpe for t5", "t5", files("tokenizer.json", `{"model":{"type":"BPE","vocab":{},"merges":[]}}`), []string{"tokenizer.json", "BPE", "Unigram"}},
	{"too few pieces", "t5", files("tokenizer.json", `{"model":{"vocab":[["a",0]]},"added_tokens":[]}`), []string{"tokenizer.json", "1 pieces", "id 2"}},
	{"piece without score", "t5", files("tokenizer.json", `{"model":{"vocab":[["a"]]}}`), []string{"tokenizer.json", `["a"]`}},
	{"charsmap not base64", "t5", files("tokenizer.json", unigramStart+`,"normalizer":{"type":"Precompiled","precompiled_charsmap":"!"}}`), []string{"tokenizer.json", "precompiled_charsmap", "base64"}},
	{"charsmap too short", "t5", files("tokenizer.json", unigramStart+`,"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAA="}}`), []string{"tokenizer.json", "charsmap", "2 bytes"}},
	{"charsmap cut", "t5", files("tokenizer.json", unigramStart+`,"normalizer":{"type":"Precompiled","precompiled_charsmap":"/////wAA"}}`), []string{"tokenizer.json", "charsmap", "1073741823 units"}},
	{"charsmap empty", "t5", files("tokenizer.json", unigramStart+`,"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAAAAAA"}}`), []string{"tokenizer.json", "empty trie"}},
	{"truncated spiece", "t5", files("spiece.model", "\x0a\xff\x01a"), []string{"spiece.model", "truncated"}},
	{"empty spiece", "t5", files("spiece.model", ""), []string{"spiece.model", "no pieces"}},
	{"text as spiece", "t5", files("spiece.model", "hello"), []string{"spiece.model"}},
	{"piece not utf-8", "t5", files("spiece.model", "\x0a\x03\x0a\x01\xff"), []string{"spiece.model", "piece 0", "UTF-8"}},
	{"lfs spiece", "t5", files("spiece.model", lfsPointer), []string{"spiece.model", "git lfs pull"}},
	{"lfs tokenizer.json", "clip", files("tokenizer.json", lfsPointer), []string{"tokenizer.json", "git lfs pull"}},
	{"config not json", "t5", files("tokenizer_config.json", "[]"), []string{"tokenizer_config.json", "array"}},
	{"config null", "t5", files("tokenizer_config.json", "null"), []string{"tokenizer_config.json", "not an object"}},
	{"no pad token", "t5", files("tokenizer.json", unigramStart+"}", "tokenizer_config.json", `{"pad_token":null}`), []string{"tokenizer_config.json", "pad_token is empty"}},
	{"pad token a number", "t5", files("tokenizer.json", unigramStart+"}", "tokenizer_config.json", `{"pad_token":3}`), []string{"tokenizer_config.json", "pad_token", "neither"}},
	{"side", "t5", files("tokenizer.json", unigramStart+"}", "tokenizer_config.json", `{"padding_side":"up"}`), []string{"tokenizer_config.json", "padding_side", "up"}},
	{"too many sentinels", "t5", files("tokenizer.json", unigramStart+"}", "tokenizer_config.json", `{"extra_ids":1e9}`), []string{"tokenizer_config.json", "extra_ids", "1e+09"}},
	{"sentinels disagree", "t5", files("tokenizer.json", unigramStart+"}", "tokenizer_config.json", `{"extra_ids":3,"extra_special_tokens":["a"],"additional_special_tokens":["<extra_id_0>"]}`), []string{"extra_ids is 3", "1 sentinels"}},
	{"bad id of added token", "t5", files("tokenizer.json", unigramStart+"}", "tokenizer_config.json", `{"added_tokens_decoder":{"x":{"content":"a"}}}`), []string{"tokenizer_config.json", "added_tokens_decoder", `"x"`}},
	{"added token without content", "t5", files("tokenizer.json", unigramStart+"}", "special_tokens_map.json", `{"pad_token":{}}`), []string{"special_tokens_map.json", "pad_token", "content"}},
}

func TestErrorsNameFileAndDefect(t *testing.T) {
	for _, c := range badFolders {
		t.Run(c.name, func(t *testing.T) {
			var err error
			if c.kind == "clip" {
				_, err = OpenCLIP(c.folder)
			} else {
				_, err = OpenT5(c.folder)
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, "tokenizer: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
		})
	}
}
