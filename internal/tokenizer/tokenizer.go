package tokenizer

import (
	"fmt"
	"slices"
)

// Encoding is one prompt as an encoder wants it.
type Encoding struct {
	IDs    []int32 // padded and truncated to the asked length
	Length int     // ids before padding, special tokens included
	At     []int   // byte of the text where each id's own begins; -1 of special tokens and padding
	Cut    string  // text that did not fit; "" if all did
}

// Tokenizer turns a prompt into ids; it is safe for concurrent use.
type Tokenizer interface {
	// Encode returns exactly n ids, special tokens included. Bytes of text that are not UTF-8 count as U+FFFD.
	Encode(text string, n int) Encoding
}

// token is one id and the byte of the prompt where its text starts.
type token struct {
	id int32
	at int
}

// pipeline is the common course of both tokenizers; what differs is normalize and words.
type pipeline struct {
	added     *addedVocabulary
	normalize func(aligned) aligned
	words     func(dst []token, text aligned) []token // ids of normalised text
	begin     []int32                                 // before the ids of the prompt
	end       []int32                                 // after them
	pad       int32
	padLeft   bool
	cutLeft   bool
}

func (p *pipeline) tokens(text string) []token {
	var tokens []token
	for _, s := range p.added.extract(align(text), p.normalize) {
		if s.added {
			tokens = append(tokens, token{s.id, s.text.at[0]})
		} else {
			tokens = p.words(tokens, s.text)
		}
	}
	return tokens
}

// Encode returns exactly n ids. The special tokens are kept and the prompt is cut.
func (p *pipeline) Encode(text string, n int) Encoding {
	n = max(n, 0)
	var cut string
	tokens := p.tokens(text)
	if room := max(n-len(p.begin)-len(p.end), 0); len(tokens) > room {
		if p.cutLeft {
			kept := tokens[len(tokens)-room:]
			cut = text
			if room > 0 {
				cut = text[:kept[0].at]
			}
			tokens = kept
		} else {
			cut = text[tokens[room].at:]
			tokens = tokens[:room]
		}
	}
	own := make([]token, 0, len(p.begin)+len(tokens)+len(p.end))
	for _, id := range p.begin {
		own = append(own, token{id, -1})
	}
	own = append(own, tokens...)
	for _, id := range p.end {
		own = append(own, token{id, -1})
	}
	own = own[:min(len(own), n)]
	first := 0
	if p.padLeft {
		first = n - len(own)
	}
	e := Encoding{IDs: slices.Repeat([]int32{p.pad}, n), At: slices.Repeat([]int{-1}, n), Length: len(own), Cut: cut}
	for i, t := range own {
		e.IDs[first+i], e.At[first+i] = t.id, t.at
	}
	return e
}

// newPipeline adds the added tokens to a model's vocabulary of size entries and finds the roles both tokenizers have.
func newPipeline(s *settings, fallbacks map[string]string, extra []addedToken, model map[string]int32, size int,
) (*pipeline, error) {
	tokens, err := s.addedTokens(fallbacks, extra)
	if err != nil {
		return nil, err
	}
	p := &pipeline{added: newAddedVocabulary(tokens, model, size)}
	end, err := p.role(s, "eos_token", fallbacks["eos_token"])
	if err != nil {
		return nil, err
	}
	p.end = []int32{end}
	p.pad, err = p.role(s, "pad_token", fallbacks["pad_token"])
	return p, err
}

// role is the id of the token that has a role.
func (p *pipeline) role(s *settings, name, fallback string) (int32, error) {
	t, err := s.token(name, fallback)
	if err != nil {
		return 0, err
	}
	if t == nil || t.content == "" {
		return 0, fmt.Errorf("tokenizer: %s: %s is empty, a text encoder needs one", configFile, name)
	}
	return p.added.ids[t.content], nil
}

// ready completes p with how the folder pads, truncates and normalises.
func (p *pipeline) ready(t *tokenizerJSON, s *settings, normalize func(aligned) aligned) (Tokenizer, error) {
	padding, truncation := t.directions()
	var err error
	if p.padLeft, err = s.side("padding_side", padding); err != nil {
		return nil, err
	}
	if p.cutLeft, err = s.side("truncation_side", truncation); err != nil {
		return nil, err
	}
	p.added.splitSpecial = truthy(s.values["split_special_tokens"])
	p.normalize = normalize
	p.added.prepare(normalize)
	return p, nil
}
