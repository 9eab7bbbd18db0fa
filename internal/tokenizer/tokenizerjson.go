package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"strings"
)

// tokenizerJSON is the part of tokenizer.json that CLIPTokenizer and T5Tokenizer look at.
type tokenizerJSON struct {
	Model struct {
		Type   string          `json:"type"`
		Vocab  json.RawMessage `json:"vocab"`
		Merges []mergeJSON     `json:"merges"`
	} `json:"model"`
	Normalizer  json.RawMessage  `json:"normalizer"`
	AddedTokens []map[string]any `json:"added_tokens"`
	Padding     struct {
		Direction string `json:"direction"`
	} `json:"padding"`
	Truncation struct {
		Direction string `json:"direction"`
	} `json:"truncation"`
}

// mergeJSON is a merge, written "a b" or ["a", "b"].
type mergeJSON [2]string

func (m *mergeJSON) UnmarshalJSON(b []byte) error {
	var parts []string
	if err := json.Unmarshal(b, &parts); err != nil {
		var text string
		if err := json.Unmarshal(b, &text); err != nil {
			return fmt.Errorf("merge %s is neither text nor a pair", b)
		}
		parts = strings.Split(text, " ")
	}
	if len(parts) != 2 {
		return fmt.Errorf("merge %s has %d parts instead of 2", b, len(parts))
	}
	*m = mergeJSON(parts)
	return nil
}

// readTokenizerJSON returns nil if the folder has no tokenizer.json.
func readTokenizerJSON(fsys fs.FS) (*tokenizerJSON, error) {
	t := &tokenizerJSON{}
	if found, err := readJSON(fsys, tokenizerFile, t); err != nil || !found {
		return nil, err
	}
	return t, nil
}

// directions are the sides on which the file pads and truncates, "" where it says nothing. A nil file says nothing.
func (t *tokenizerJSON) directions() (padding, truncation string) {
	if t == nil {
		return "", ""
	}
	return t.Padding.Direction, t.Truncation.Direction
}

func (t *tokenizerJSON) storeAdded(stored map[int]addedToken) error {
	for i, object := range t.AddedTokens {
		id, ok := object["id"].(float64)
		token, err := tokenFromObject(object)
		if !ok || id < 0 || id > math.MaxInt32 || err != nil {
			return fmt.Errorf("tokenizer: %s: added_tokens: entry %d has no proper id and content", tokenizerFile, i)
		}
		stored[int(id)] = token
	}
	return nil
}

// bpeVocab is the vocabulary and the merges of a BPE model.
func (t *tokenizerJSON) bpeVocab() (map[string]int32, [][2]string, error) {
	vocab := map[string]int32{}
	if t.Model.Type != "BPE" && t.Model.Type != "" {
		return nil, nil, fmt.Errorf("tokenizer: %s: model is of type %q, CLIP needs BPE", tokenizerFile, t.Model.Type)
	}
	if t.Model.Merges == nil || t.Model.Vocab == nil {
		return nil, nil, fmt.Errorf("tokenizer: %s: model lacks vocab or merges, CLIP needs both", tokenizerFile)
	}
	if err := json.Unmarshal(t.Model.Vocab, &vocab); err != nil {
		return nil, nil, fmt.Errorf("tokenizer: %s: model.vocab: %w", tokenizerFile, err)
	}
	merges := make([][2]string, len(t.Model.Merges))
	for i, m := range t.Model.Merges {
		merges[i] = m
	}
	return vocab, merges, nil
}

// unigramVocab is the pieces of a unigram model.
func (t *tokenizerJSON) unigramVocab() ([]piece, error) {
	if t.Model.Type != "Unigram" && t.Model.Type != "" {
		return nil, fmt.Errorf("tokenizer: %s: model is of type %q, T5 needs Unigram", tokenizerFile, t.Model.Type)
	}
	var list []pieceJSON
	if err := json.Unmarshal(t.Model.Vocab, &list); err != nil {
		return nil, fmt.Errorf("tokenizer: %s: model.vocab: %w", tokenizerFile, err)
	}
	pieces := make([]piece, len(list))
	for i, p := range list {
		pieces[i] = piece(p)
	}
	return pieces, nil
}

// pieceJSON is a piece, written ["text", score].
type pieceJSON piece

func (p *pieceJSON) UnmarshalJSON(b []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(b, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("piece %s is not a pair of text and score", b)
	}
	if err := json.Unmarshal(pair[0], &p.text); err != nil {
		return fmt.Errorf("piece %s: %w", b, err)
	}
	return json.Unmarshal(pair[1], &p.score)
}

// charsmap is the first Precompiled normaliser's map, nil if there is none. The reference looks at no other normaliser.
func (t *tokenizerJSON) charsmap() ([]byte, error) {
	type normalizer struct {
		Type        string  `json:"type"`
		Precompiled *string `json:"precompiled_charsmap"`
	}
	var outer struct {
		normalizer
		Normalizers []normalizer `json:"normalizers"`
	}
	if len(t.Normalizer) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(t.Normalizer, &outer); err != nil {
		return nil, fmt.Errorf("tokenizer: %s: normalizer: %w", tokenizerFile, err)
	}
	list := []normalizer{outer.normalizer}
	if outer.Type == "Sequence" {
		list = outer.Normalizers
	}
	for _, n := range list {
		if n.Type == "Precompiled" && n.Precompiled != nil {
			b, err := base64.StdEncoding.DecodeString(*n.Precompiled)
			if err != nil {
				return nil, fmt.Errorf("tokenizer: %s: precompiled_charsmap: %w", tokenizerFile, err)
			}
			return b, nil
		}
	}
	return nil, nil
}
