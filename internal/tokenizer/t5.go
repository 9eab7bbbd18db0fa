package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
)

// metaspace stands for a space at the start of a word.
const metaspace = "▁"

// t5Unknown is the unknown token's id: T5Tokenizer does not ask the model for it.
const t5Unknown = 2

// maxExtraIDs limits what a folder can make us allocate; real ones have 100.
const maxExtraIDs = 1 << 16

// OpenT5 reads the tokenizer folder of a T5 text encoder, fsys being rooted at it: tokenizer.json, else spiece.model;
// the special tokens from tokenizer_config.json or the files that older folders have instead. Errors name the file and
// what is wrong with it.
func OpenT5(fsys fs.FS) (Tokenizer, error) {
	t, err := readTokenizerJSON(fsys)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(fsys, t)
	if err != nil {
		return nil, err
	}
	file, v, err := readUnigram(fsys, t, s)
	if err != nil {
		return nil, err
	}
	extra, err := v.extraTokens(s)
	if err != nil {
		return nil, err
	}
	model, err := newUnigram(v.pieces, t5Unknown)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", file, err)
	}
	normalize := func(a aligned) aligned { return a }
	if v.charsmap != nil {
		m, err := parseCharsmap(v.charsmap)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", file, err)
		}
		normalize = m.normalize
	}
	fallbacks := map[string]string{"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
	p, err := newPipeline(s, fallbacks, extra, model.ids, len(v.pieces))
	if err != nil {
		return nil, err
	}
	p.words = func(dst []token, text aligned) []token {
		eachT5Word(text, func(word aligned) { dst = model.appendWord(dst, word) })
		return dst
	}
	return p.ready(t, s, normalize)
}

// t5Vocab is what the files of a T5 tokenizer say about its model.
type t5Vocab struct {
	pieces   []piece
	charsmap []byte // nil: text is taken as it is
	extraIDs int
}

// readUnigram reads the model and says from which file.
func readUnigram(fsys fs.FS, t *tokenizerJSON, s *settings) (file string, v *t5Vocab, err error) {
	v = &t5Vocab{extraIDs: 100}
	if n, ok := s.values["extra_ids"]; ok {
		f, isNumber := n.(float64)
		if !isNumber || f != math.Trunc(f) || f > maxExtraIDs {
			return "", nil, fmt.Errorf("tokenizer: %s: extra_ids is %v, not a number up to %d", configFile, n, maxExtraIDs)
		}
		v.extraIDs = int(max(f, 0))
	}
	if t != nil {
		if v.pieces, err = t.unigramVocab(); err == nil {
			v.charsmap, err = t.charsmap()
		}
		return tokenizerFile, v, err
	}
	files := []string{"tokenizer.model", "spiece.model"} // the order in which the reference looks
	for _, file := range files {
		b, err := readFile(fsys, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", nil, err
		}
		m, err := parseSpiece(b)
		if err != nil {
			return "", nil, fmt.Errorf("tokenizer: %s: %w", file, err)
		}
		v.take(m, s)
		return file, v, nil
	}
	return "", nil, fmt.Errorf("tokenizer: found none of %s, %s", tokenizerFile, strings.Join(files, ", "))
}

// take adds to the pieces of a sentencepiece model the sentinels, and to the settings its control and user-defined
// pieces.
func (v *t5Vocab) take(m *spiece, s *settings) {
	v.pieces = m.pieces
	for i := v.extraIDs - 1; i >= 0; i-- {
		v.pieces = append(v.pieces, piece{text: sentinel(i)})
	}
	if len(m.charsmap) > 0 {
		v.charsmap = m.charsmap
	}
	added := make([]any, len(m.added))
	for i, t := range m.added {
		added[i] = t
	}
	s.values["additional_special_tokens"] = added
}

func sentinel(i int) string { return fmt.Sprintf("<extra_id_%d>", i) }

// extraTokens are the special tokens without a role, among them the sentinels, by the rules of T5Tokenizer: they come
// from additional_special_tokens, but only if the folder does not mention extra_special_tokens.
func (v *t5Vocab) extraTokens(s *settings) ([]addedToken, error) {
	additional, given, err := s.list("additional_special_tokens")
	if err != nil {
		return nil, err
	}
	sentinels := 0
	for _, t := range additional {
		if strings.Contains(t.content, "<extra_id_") {
			sentinels++
		}
	}
	if given && sentinels > 0 && v.extraIDs > 0 && v.extraIDs != sentinels {
		return nil, fmt.Errorf("tokenizer: %s: extra_ids is %d, but %d sentinels are listed; the two must agree",
			configFile, v.extraIDs, sentinels)
	}
	if sentinels == 0 {
		for i := range v.extraIDs {
			additional = append(additional, addedToken{content: sentinel(i), fromBareString: true})
		}
	}
	extra, listed, err := s.list("extra_special_tokens")
	if listed || err != nil {
		return extra, err
	}
	return additional, nil
}

// eachT5Word calls f for each word of normalised text. A word starts at white space, which it replaces by a metaspace,
// or at a metaspace in the text.
func eachT5Word(a aligned, f func(word aligned)) {
	for i := 0; i < len(a.text); {
		start := spaceAfter(a.text, i)
		if start == len(a.text) {
			return
		}
		if n := strings.IndexFunc(a.text[start:], isSpace); n >= 0 {
			i = start + n
		} else {
			i = len(a.text)
		}
		word := a.slice(start, i)
		if !strings.HasPrefix(word.text, metaspace) {
			at := make([]int, 0, len(metaspace)+len(word.at))
			for range len(metaspace) {
				at = append(at, word.at[0])
			}
			word = aligned{metaspace + word.text, append(at, word.at...)}
		}
		for len(word.text) > 0 {
			n := strings.Index(word.text[len(metaspace):], metaspace)
			if n < 0 {
				f(word)
				break
			}
			f(word.slice(0, len(metaspace)+n))
			word = word.slice(len(metaspace)+n, len(word.text))
		}
	}
}
