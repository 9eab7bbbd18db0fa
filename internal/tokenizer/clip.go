package tokenizer

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"
)

const (
	startOfText = "<|startoftext|>"
	endOfText   = "<|endoftext|>"
)

// OpenCLIP reads the tokenizer folder of a CLIP text encoder, fsys being rooted at it: tokenizer.json, else vocab.json
// and merges.txt; the special tokens from tokenizer_config.json or the files that older folders have instead.
// Errors name the file and what is wrong with it.
func OpenCLIP(fsys fs.FS) (Tokenizer, error) {
	t, err := readTokenizerJSON(fsys)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(fsys, t)
	if err != nil {
		return nil, err
	}
	file, vocab, merges, err := readBPE(fsys, t)
	if err != nil {
		return nil, err
	}
	for text, id := range vocab {
		if id < 0 {
			return nil, fmt.Errorf("tokenizer: %s: %q has the negative id %d", file, text, id)
		}
	}
	fallbacks := map[string]string{
		"bos_token": startOfText, "eos_token": endOfText, "unk_token": endOfText, "pad_token": endOfText,
	}
	extra, listed, err := s.list("extra_special_tokens")
	if err == nil && !listed {
		extra, _, err = s.list("additional_special_tokens")
	}
	if err != nil {
		return nil, err
	}
	p, err := newPipeline(s, fallbacks, extra, vocab, len(vocab))
	if err != nil {
		return nil, err
	}
	unknown := "None" // what the reference looks up if the folder says null
	if unk, err := s.token("unk_token", endOfText); err == nil && unk != nil {
		unknown = unk.content
	}
	model, err := newBPE(vocab, merges, unknown)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", file, err)
	}
	begin, err := p.role(s, "bos_token", startOfText)
	if err != nil {
		return nil, err
	}
	p.begin = []int32{begin}
	p.words = func(dst []token, text aligned) []token {
		eachCLIPWord(text, func(word aligned) { dst = model.appendWord(dst, word) })
		return dst
	}
	return p.ready(t, s, normalizeCLIP)
}

// readBPE reads vocabulary and merges and says which file they are from.
func readBPE(fsys fs.FS, t *tokenizerJSON) (file string, vocab map[string]int32, merges [][2]string, err error) {
	if t != nil {
		vocab, merges, err = t.bpeVocab()
		return tokenizerFile, vocab, merges, err
	}
	found, err := readJSON(fsys, vocabFile, &vocab)
	if err == nil && !found {
		err = fmt.Errorf("tokenizer: found neither %s nor %s with %s", tokenizerFile, vocabFile, mergesFile)
	}
	if err != nil {
		return "", nil, nil, err
	}
	b, err := readFile(fsys, mergesFile)
	if err != nil {
		return "", nil, nil, fmt.Errorf("%w; %s needs it", err, vocabFile)
	}
	if merges, err = parseMerges(string(b)); err != nil {
		return "", nil, nil, fmt.Errorf("tokenizer: %s: %w", mergesFile, err)
	}
	return vocabFile, vocab, merges, nil
}

// parseMerges reads merges.txt: one pair a line, in order of rank, after lines that start with #version.
func parseMerges(text string) ([][2]string, error) {
	var merges [][2]string
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if strings.HasPrefix(line, "#version") {
			continue
		}
		a, b, found := strings.Cut(line, " ")
		if !found || strings.Contains(b, " ") {
			return nil, fmt.Errorf("line %d is not a pair: %q", number, line)
		}
		merges = append(merges, [2]string{a, b})
	}
	return merges, nil
}

// normalizeCLIP brings text into form C, makes each run of white space one space, and lowers it.
func normalizeCLIP(a aligned) aligned {
	t := unicodeTables()
	a = nfc(a)
	var b alignedBuilder
	space := false
	for i, r := range a.text {
		if isSpace(r) {
			if !space {
				b.add(' ', a.at[i])
			}
			space = true
			continue
		}
		space = false
		if r == 'İ' {
			b.addString("i\u0307", a.at[i])
		} else {
			b.add(t.toLower(r), a.at[i])
		}
	}
	return b.aligned()
}

// runeKind is how CLIP's word pattern sees a character.
type runeKind uint8

const (
	otherRune runeKind = iota
	spaceRune
	letterRune
	numberRune
)

func (t *characterTables) runeKind(r rune) runeKind {
	switch {
	case isSpace(r):
		return spaceRune
	case t.letter.has(r):
		return letterRune
	case t.number.has(r):
		return numberRune
	}
	return otherRune
}

// eachCLIPWord calls f for each word of normalised text, by the pattern
//
//	<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
//
// whose matches GPT-2's pattern then splits; that leaves all but the first two alternatives as they are.
func eachCLIPWord(a aligned, f func(word aligned)) {
	t := unicodeTables()
	for i := 0; i < len(a.text); {
		rest := a.text[i:]
		r, n := utf8.DecodeRuneInString(rest)
		kind := t.runeKind(r)
		if literal := prefixOf(rest, startOfText, endOfText); literal > 0 {
			f(a.slice(i, i+2))
			f(a.slice(i+2, i+literal-2))
			f(a.slice(i+literal-2, i+literal))
			i += literal
			continue
		}
		if m := prefixOf(rest, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"); m > 0 {
			n = m
		} else if kind == letterRune || kind == otherRune {
			for n < len(rest) {
				r, m := utf8.DecodeRuneInString(rest[n:])
				if t.runeKind(r) != kind {
					break
				}
				n += m
			}
		}
		if kind != spaceRune {
			f(a.slice(i, i+n))
		}
		i += n
	}
}

// prefixOf is the length of the first of the given texts that s starts with, 0 if with none.
func prefixOf(s string, texts ...string) int {
	for _, t := range texts {
		if strings.HasPrefix(s, t) {
			return len(t)
		}
	}
	return 0
}
