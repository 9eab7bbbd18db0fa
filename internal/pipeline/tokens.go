package pipeline

import (
	"strings"

	"taca/internal/checkpoint"
	"taca/internal/tokenizer"
)

// Tokens is what one encoder reads of a text.
type Tokens struct {
	Encoder string // its folder
	Kind    string // "clip" or "t5"; "clip_g" for SD3's second CLIP
	tokenizer.Encoding
}

// Tokenize turns a text into token ids for every encoder, without weights.
func (m *Model) Tokenize(text string, maxLength int) ([]Tokens, error) {
	if err := checkLength(maxLength); err != nil {
		return nil, err
	}
	var out []Tokens
	for _, e := range m.family.encoders() {
		t, err := m.tokenizer(e)
		if err != nil {
			return nil, err
		}
		out = append(out, Tokens{e.component(), e.kind(), t.Encode(text, e.length(maxLength))})
	}
	return out, nil
}

// tokenizer reads the tokenizer that goes with an encoder: text_encoder_2
// reads what tokenizer_2 writes.
func (m *Model) tokenizer(e textEncoder) (tokenizer.Tokenizer, error) {
	folder := m.folder.Sub("tokenizer" + strings.TrimPrefix(e.component(), "text_encoder"))
	t, err := e.tokenizer(folder.FS())
	if err != nil {
		return nil, &checkpoint.Error{Path: folder.String(), Problem: err.Error()}
	}
	return t, nil
}
