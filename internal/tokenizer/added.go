package tokenizer

import (
	"sort"
	"unicode"
	"unicode/utf8"
)

// addedVocabulary holds the added tokens of a folder with their ids.
type addedVocabulary struct {
	ids          map[string]int32
	byID         map[int32]addedToken
	special      map[string]bool
	splitSpecial bool
	raw          matcher // looked for in the prompt
	normalized   matcher // looked for in what is left of it, normalised
}

// newAddedVocabulary gives each token the id that the model has for its text, or the next free one. Of two tokens with
// the same text, the later one counts.
func newAddedVocabulary(tokens []addedToken, model map[string]int32, size int) *addedVocabulary {
	v := &addedVocabulary{ids: map[string]int32{}, byID: map[int32]addedToken{}, special: map[string]bool{}}
	next := int32(size)
	for _, t := range tokens {
		if t.content == "" {
			continue
		}
		id, ok := v.ids[t.content]
		if !ok {
			id, ok = model[t.content]
		}
		if !ok {
			id = next
			next++
		}
		v.ids[t.content], v.byID[id] = id, t
		if t.special {
			v.special[t.content] = true
		}
	}
	return v
}

// prepare sorts the tokens for extract.
func (v *addedVocabulary) prepare(normalize func(aligned) aligned) {
	v.raw, v.normalized = matcher{}, matcher{}
	ids := make([]int32, 0, len(v.byID))
	for id := range v.byID {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	for _, id := range ids {
		if t := v.byID[id]; t.inNormalized() {
			v.normalized.add(normalize(align(t.content)).text, id)
		} else {
			v.raw.add(t.content, id)
		}
	}
	v.raw.sort()
	v.normalized.sort()
}

// matcher finds the longest of several texts, by their first byte, once it is
// sorted.
type matcher map[byte][]pattern

type pattern struct {
	text string
	id   int32
}

func (m matcher) add(text string, id int32) {
	if text == "" {
		return
	}
	m[text[0]] = append(m[text[0]], pattern{text, id})
}

func (m matcher) sort() {
	for _, list := range m {
		sort.SliceStable(list, func(i, j int) bool { return len(list[i].text) > len(list[j].text) })
	}
}

func (m matcher) longest(text string) (pattern, bool) {
	for _, p := range m[text[0]] {
		if len(text) >= len(p.text) && text[:len(p.text)] == p.text {
			return p, true
		}
	}
	return pattern{}, false
}

// stretch is a part of the prompt: an added token, or text for the model.
type stretch struct {
	text  aligned
	id    int32
	added bool
}

// extract finds the added tokens and normalises what is between them.
func (v *addedVocabulary) extract(prompt aligned, normalize func(aligned) aligned) []stretch {
	var out []stretch
	for _, s := range v.split(nil, prompt, v.raw) {
		if s.added {
			out = append(out, s)
		} else {
			out = v.split(out, normalize(s.text), v.normalized)
		}
	}
	return out
}

// split appends the stretches of text. As in the reference, a match that is then refused is still passed over.
func (v *addedVocabulary) split(dst []stretch, text aligned, m matcher) []stretch {
	done := 0
	for i := 0; i < len(text.text) && len(m) > 0; {
		p, ok := m.longest(text.text[i:])
		if !ok {
			i++
			continue
		}
		lo, hi := i, i+len(p.text)
		i = hi
		t := v.byID[p.id]
		if v.splitSpecial && v.special[t.content] || t.singleWord && !standsAlone(text.text, lo, hi) {
			continue
		}
		if t.lstrip {
			lo = max(spaceBefore(text.text, lo), done)
		}
		if t.rstrip {
			hi = spaceAfter(text.text, hi)
		}
		if lo >= hi {
			continue // it is white space that the token before has taken
		}
		if done < lo {
			dst = append(dst, stretch{text: text.slice(done, lo)})
		}
		dst = append(dst, stretch{text: text.slice(lo, hi), id: p.id, added: true})
		done = hi
	}
	if done < len(text.text) {
		dst = append(dst, stretch{text: text.slice(done, len(text.text))})
	}
	return dst
}

func standsAlone(text string, lo, hi int) bool {
	t := unicodeTables()
	before, n := utf8.DecodeLastRuneInString(text[:lo])
	after, m := utf8.DecodeRuneInString(text[hi:])
	return (n == 0 || !t.word.has(before)) && (m == 0 || !t.word.has(after))
}

// isSpace is the White_Space property, the same in every version of Unicode since 6.3.
func isSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

func spaceBefore(text string, end int) int {
	for end > 0 {
		r, n := utf8.DecodeLastRuneInString(text[:end])
		if !isSpace(r) {
			break
		}
		end -= n
	}
	return end
}

func spaceAfter(text string, start int) int {
	for start < len(text) {
		r, n := utf8.DecodeRuneInString(text[start:])
		if !isSpace(r) {
			break
		}
		start += n
	}
	return start
}
