package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// token is the token with the given role, fallback if the folder does not mention the role.
func (s *settings) token(name, fallback string) (*addedToken, error) {
	v, ok := s.values[name]
	if !ok && fallback != "" {
		v = fallback
	}
	t, err := tokenFromValue(v)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %s %w", configFile, name, err)
	}
	return t, nil
}

// roles are the named tokens and those of the folder's own making, in the order in which the reference adds them.
func (s *settings) roles(fallbacks map[string]string) ([]addedToken, error) {
	var tokens []addedToken
	for _, name := range namedTokens {
		t, err := s.token(name, fallbacks[name])
		if err != nil {
			return nil, err
		}
		if t != nil {
			tokens = append(tokens, *t)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.own)) {
		t, err := tokenFromValue(s.own[name])
		if err != nil || t == nil {
			return nil, fmt.Errorf("tokenizer: %s: %s is not a token", configFile, name)
		}
		tokens = append(tokens, *t)
	}
	return tokens, nil
}

// list reads a list of tokens. ok says whether the folder mentions it.
func (s *settings) list(name string) (tokens []addedToken, ok bool, err error) {
	v, ok := s.values[name]
	values, isList := v.([]any)
	if v != nil && !isList {
		return nil, ok, fmt.Errorf("tokenizer: %s: %s is not a list", configFile, name)
	}
	for i, v := range values {
		t, err := tokenFromValue(v)
		if err != nil || t == nil {
			return nil, ok, fmt.Errorf("tokenizer: %s: %s: entry %d is not a token", configFile, name, i)
		}
		tokens = append(tokens, *t)
	}
	return tokens, ok, nil
}

// addedTokens are all added tokens in the order in which the reference adds them: those stored, then those with roles,
// then the extra ones. A bare string stands for a special token. The properties of a stored token give way to those of
// a later one that differs.
func (s *settings) addedTokens(fallbacks map[string]string, extra []addedToken) ([]addedToken, error) {
	roles, err := s.roles(fallbacks)
	if err != nil {
		return nil, err
	}
	isStored, isRole := map[string]bool{}, map[string]bool{}
	for _, t := range s.stored {
		isStored[t.content] = true
	}
	for _, t := range roles {
		isRole[t.content] = true
	}
	tokens := slices.Clone(s.stored)
	alike := map[string][]addedToken{} // of the same text
	for _, t := range append(roles, extra...) {
		if !isStored[t.content] && !slices.ContainsFunc(alike[t.content], t.equal) {
			tokens = append(tokens, t)
			alike[t.content] = append(alike[t.content], t)
		}
	}
	for i := range tokens {
		t := &tokens[i]
		t.special = t.special || t.fromBareString || isRole[t.content]
	}
	return tokens, nil
}

// side reads padding_side or truncation_side; direction is what tokenizer.json says, if anything.
func (s *settings) side(name string, direction string) (left bool, err error) {
	v, ok := s.values[name]
	if !ok {
		return strings.EqualFold(direction, "left"), nil
	}
	if v != "left" && v != "right" {
		return false, fmt.Errorf("tokenizer: %s: %s is %v, neither left nor right", configFile, name, v)
	}
	return v == "left", nil
}
