package tokenizer

import (
	"container/heap"
	"fmt"
)

// bpe is byte-pair encoding over bytes: a word's bytes are symbols, and pairs of them merge in order of rank. The last
// byte of a word has symbols of its own, marked </w> in the vocabulary.
type bpe struct {
	inner, last [256]int32 // id of each byte
	merges      map[[2]int32]merge
}

type merge struct{ rank, id int32 }

// wordEnd marks the last symbol of a word in CLIP's vocabulary.
const wordEnd = "</w>"

// newBPE resolves merges against the vocabulary. unknown stands for bytes that the vocabulary lacks.
func newBPE(vocab map[string]int32, merges [][2]string, unknown string) (*bpe, error) {
	m := &bpe{merges: make(map[[2]int32]merge, len(merges))}
	unknownID, hasUnknown := vocab[unknown]
	for b, r := range byteSymbols() {
		for _, s := range []struct {
			ids  *[256]int32
			text string
		}{{&m.inner, string(r)}, {&m.last, string(r) + wordEnd}} {
			id, ok := vocab[s.text]
			if !ok && !hasUnknown {
				return nil, fmt.Errorf("vocabulary has neither %q for byte %#02x nor the unknown token %q", s.text, b, unknown)
			}
			if !ok {
				id = unknownID
			}
			s.ids[b] = id
		}
	}
	for rank, pair := range merges {
		var ids [3]int32
		for i, s := range []string{pair[0], pair[1], pair[0] + pair[1]} {
			id, ok := vocab[s]
			if !ok {
				return nil, fmt.Errorf("merge %d (%q %q) needs %q, which is not in the vocabulary", rank+1, pair[0], pair[1], s)
			}
			ids[i] = id
		}
		m.merges[[2]int32{ids[0], ids[1]}] = merge{int32(rank), ids[2]}
	}
	return m, nil
}

// byteSymbols are the characters that stand for bytes in vocabularies since GPT-2: printable ones for themselves, the
// others for characters from U+0100.
func byteSymbols() [256]rune {
	var symbols [256]rune
	next := rune(0x100)
	for b := range symbols {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			symbols[b] = rune(b)
		} else {
			symbols[b] = next
			next++
		}
	}
	return symbols
}

// symbol is an element of a doubly linked list over a word.
type symbol struct {
	id         int32
	start      int // byte of the word
	prev, next int
	gone       bool
}

// candidate is a possible merge of the symbol at pos with its next one.
type candidate struct {
	rank int32
	pos  int
	id   int32
}

// candidates is a heap: the lowest rank first, then the leftmost.
type candidates []candidate

func (c candidates) Len() int      { return len(c) }
func (c candidates) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c candidates) Less(i, j int) bool {
	return c[i].rank < c[j].rank || c[i].rank == c[j].rank && c[i].pos < c[j].pos
}
func (c *candidates) Push(x any) { *c = append(*c, x.(candidate)) }
func (c *candidates) Pop() any {
	old := *c
	x := old[len(old)-1]
	*c = old[:len(old)-1]
	return x
}

// appendWord appends the ids of one word.
func (m *bpe) appendWord(dst []token, word aligned) []token {
	symbols := make([]symbol, len(word.text))
	for i := range symbols {
		symbols[i] = symbol{id: m.inner[word.text[i]], start: i, prev: i - 1, next: i + 1}
	}
	final := len(symbols) - 1
	symbols[final].id, symbols[final].next = m.last[word.text[final]], -1
	var queue candidates
	for i := range symbols[:final] {
		m.push(&queue, symbols, i)
	}
	for len(queue) > 0 {
		m.apply(&queue, symbols, heap.Pop(&queue).(candidate))
	}
	for _, s := range symbols {
		if !s.gone {
			dst = append(dst, token{s.id, word.at[s.start]})
		}
	}
	return dst
}

// push queues the merge of symbol i with its next one, if there is one.
func (m *bpe) push(queue *candidates, symbols []symbol, i int) {
	next := symbols[i].next
	if next < 0 {
		return
	}
	if e, ok := m.merges[[2]int32{symbols[i].id, symbols[next].id}]; ok {
		heap.Push(queue, candidate{e.rank, i, e.id})
	}
}

// apply merges c, unless its symbols have changed so that they no longer merge into the same id.
func (m *bpe) apply(queue *candidates, symbols []symbol, c candidate) {
	s := &symbols[c.pos]
	if s.gone || s.next < 0 {
		return
	}
	right := &symbols[s.next]
	if e, ok := m.merges[[2]int32{s.id, right.id}]; !ok || e.id != c.id {
		return
	}
	s.id, s.next, right.gone = c.id, right.next, true
	if s.next >= 0 {
		symbols[s.next].prev = c.pos
	}
	if s.prev >= 0 {
		m.push(queue, symbols, s.prev)
	}
	m.push(queue, symbols, c.pos)
}
