package tokenizer

import "errors"

// addedToken is a token found in the prompt before the model sees it.
type addedToken struct {
	content        string
	singleWord     bool  // only between characters that are no word characters
	lstrip         bool  // takes the white space on its left
	rstrip         bool  // and on its right
	special        bool  // not found when the folder says split_special_tokens
	normalized     *bool // whether it is looked for in normalised text; if nil, then unless special
	fromBareString bool  // written as a string, without properties
}

func (t addedToken) inNormalized() bool {
	if t.normalized != nil {
		return *t.normalized
	}
	return !t.special
}

// equal compares as the reference does: a bare string equals no token with properties.
func (t addedToken) equal(o addedToken) bool {
	if t.fromBareString || o.fromBareString {
		return t.fromBareString && o.fromBareString && t.content == o.content
	}
	return t.content == o.content && t.singleWord == o.singleWord && t.lstrip == o.lstrip && t.rstrip == o.rstrip &&
		t.special == o.special && t.inNormalized() == o.inNormalized()
}

// tokenFromObject reads a token written with its properties.
func tokenFromObject(object map[string]any) (addedToken, error) {
	var t addedToken
	content, ok := object["content"].(string)
	if !ok {
		return t, errors.New("has no content")
	}
	t.content = content
	for name, flag := range map[string]*bool{
		"single_word": &t.singleWord, "lstrip": &t.lstrip, "rstrip": &t.rstrip, "special": &t.special,
	} {
		*flag, _ = object[name].(bool)
	}
	if normalized, ok := object["normalized"].(bool); ok {
		t.normalized = &normalized
	}
	return t, nil
}

// specialFromObject reads a token of special_tokens_map.json.
func specialFromObject(object map[string]any) (addedToken, error) {
	t, err := tokenFromObject(object)
	t.special = true
	return t, err
}

// tokenFromValue reads a token written as a string or with its properties; null is no token.
func tokenFromValue(v any) (*addedToken, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return &addedToken{content: v, fromBareString: true}, nil
	case addedToken:
		return &v, nil
	case map[string]any:
		t, err := tokenFromObject(v)
		return &t, err
	}
	return nil, errors.New("is neither a string nor a token")
}
