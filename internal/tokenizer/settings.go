package tokenizer

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// namedTokens are the roles a special token can have, in the order in which the reference adds them.
var namedTokens = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// settings are what the small files of a tokenizer folder say, read as transformers' from_pretrained reads them.
// A value is nil, bool, float64, string, []any, map[string]any or addedToken.
type settings struct {
	values map[string]any
	own    map[string]any // special tokens with roles of the folder's own making
	stored []addedToken   // added tokens the folder lists, by id
}

// readSettings reads tokenizer_config.json and, unless it lists the added tokens itself, the older files and the added
// tokens of tokenizer.json.
func readSettings(fsys fs.FS, t *tokenizerJSON) (*settings, error) {
	s := &settings{values: map[string]any{}, own: map[string]any{}}
	if _, err := readJSON(fsys, configFile, &s.values); err != nil {
		return nil, err
	}
	if s.values == nil {
		return nil, fmt.Errorf("tokenizer: %s: not an object", configFile)
	}
	if more, ok := s.values["additional_special_tokens"]; ok && !truthy(s.values["extra_special_tokens"]) {
		s.values["extra_special_tokens"] = more
		delete(s.values, "additional_special_tokens")
	}
	s.takeOwn(false)
	stored := map[int]addedToken{}
	var err error
	if list, ok := s.values["added_tokens_decoder"]; ok {
		err = storeDecoder(stored, list)
	} else {
		err = s.readOlder(fsys, stored)
		if err == nil && t != nil {
			err = t.storeAdded(stored)
		}
	}
	if err != nil {
		return nil, err
	}
	s.takeOwn(true)
	s.finish(stored)
	return s, nil
}

// takeOwn moves the special tokens that the folder gives roles of its own: every key that ends in _token, and the
// entries of extra_special_tokens if that is an object, which count more. What was taken before stands. Tokens written
// with their properties are taken last, when the older files have had their say.
func (s *settings) takeOwn(last bool) {
	for name, v := range s.values {
		object, _ := v.(map[string]any)
		_, isToken := v.(addedToken)
		_, isString := v.(string)
		if !strings.HasSuffix(name, "_token") || slices.Contains(namedTokens, name) ||
			!isString && !(last && (isToken || object["__type"] == "AddedToken")) {
			continue
		}
		if _, ok := s.own[name]; !ok {
			s.own[name] = v
		}
		delete(s.values, name)
	}
	if object, ok := s.values["extra_special_tokens"].(map[string]any); ok {
		maps.Copy(s.own, object)
		delete(s.values, "extra_special_tokens")
	}
}

// truthy is Python's notion.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// storeDecoder reads added_tokens_decoder: tokens by their id, written in decimal.
func storeDecoder(stored map[int]addedToken, list any) error {
	tokens, ok := list.(map[string]any)
	if !ok {
		return fmt.Errorf("tokenizer: %s: added_tokens_decoder is not an object", configFile)
	}
	for key, value := range tokens {
		id, err := strconv.Atoi(key)
		if err != nil {
			return fmt.Errorf("tokenizer: %s: added_tokens_decoder: id %q is not a number", configFile, key)
		}
		object, ok := value.(map[string]any)
		if !ok {
			return fmt.Errorf("tokenizer: %s: added_tokens_decoder: token %d is not an object", configFile, id)
		}
		if stored[id], err = tokenFromObject(object); err != nil {
			return fmt.Errorf("tokenizer: %s: added_tokens_decoder: token %d: %w", configFile, id, err)
		}
	}
	return nil
}

// readOlder reads special_tokens_map.json and added_tokens.json, which newer folders no longer have.
func (s *settings) readOlder(fsys fs.FS, stored map[int]addedToken) error {
	var special map[string]any
	if _, err := readJSON(fsys, specialMapFile, &special); err != nil {
		return err
	}
	for key, value := range special {
		var err error
		if object, ok := value.(map[string]any); ok && key != "extra_special_tokens" {
			value, err = specialFromObject(object)
		}
		list, isList := value.([]any)
		for i, v := range list {
			if object, ok := v.(map[string]any); ok && err == nil {
				list[i], err = specialFromObject(object)
			}
		}
		if have, _ := s.values[key].([]any); isList && key == "extra_special_tokens" {
			value = append(have, list...)
		}
		if err != nil {
			return fmt.Errorf("tokenizer: %s: %s: %w", specialMapFile, key, err)
		}
		s.values[key] = value
	}
	var added map[string]int
	if _, err := readJSON(fsys, oldAddedFile, &added); err != nil {
		return err
	}
	known := map[string]bool{}
	list, _ := s.values["extra_special_tokens"].([]any)
	for _, name := range namedTokens {
		list = append(list[:len(list):len(list)], s.values[name])
	}
	for _, v := range list { // an object of tokenizer_config.json does not count here
		if text, ok := v.(string); ok {
			known[text] = true
		} else if t, ok := v.(addedToken); ok {
			known[t.content] = true
		}
	}
	for content, id := range added {
		normalized := !known[content]
		stored[id] = addedToken{content: content, special: known[content], normalized: &normalized}
	}
	return nil
}

// finish gives special tokens that are also stored the stored one's properties.
func (s *settings) finish(stored map[int]addedToken) {
	ids := make([]int, 0, len(stored))
	for id := range stored {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	byContent := map[string]addedToken{}
	for _, id := range ids {
		s.stored = append(s.stored, stored[id])
		byContent[stored[id].content] = stored[id]
	}
	for _, name := range namedTokens {
		if t, err := tokenFromValue(s.values[name]); err == nil && t != nil {
			if st, ok := byContent[t.content]; ok {
				s.values[name] = st
			}
		}
	}
}
