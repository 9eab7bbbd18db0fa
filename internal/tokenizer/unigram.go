package tokenizer

import (
	"fmt"
	"math"
	"sort"
	"unicode/utf8"
)

// piece is an entry of a unigram vocabulary; its id is its place.
type piece struct {
	text  string
	score float64 // log probability
}

// unigram is a unigram language model: a text's pieces are those whose scores add up to most.
type unigram struct {
	ids     map[string]int32
	sorted  []scoredPiece // by text
	unknown int32
	penalty float64 // score of a character that is no piece
}

type scoredPiece struct {
	piece
	id int32
}

// unknownPenalty is how far below the worst piece an unknown character scores (sentencepiece).
const unknownPenalty = 10

// newUnigram builds the model. Of pieces with the same text, the last one counts.
func newUnigram(pieces []piece, unknown int32) (*unigram, error) {
	if int(unknown) >= len(pieces) {
		return nil, fmt.Errorf("vocabulary has %d pieces, too few for the unknown token's id %d", len(pieces), unknown)
	}
	m := &unigram{ids: make(map[string]int32, len(pieces)), unknown: unknown}
	worst := math.Inf(1)
	for id, p := range pieces {
		m.ids[p.text] = int32(id)
		if p.score < worst {
			worst = p.score
		}
	}
	m.penalty = worst - unknownPenalty
	for text, id := range m.ids {
		m.sorted = append(m.sorted, scoredPiece{piece{text, pieces[id].score}, id})
	}
	sort.Slice(m.sorted, func(i, j int) bool { return m.sorted[i].text < m.sorted[j].text })
	return m, nil
}

// eachPrefix calls f for every piece that text starts with, the shortest first.
func (m *unigram) eachPrefix(text string, f func(p scoredPiece)) {
	list := m.sorted
	for n := 0; n < len(text); n++ {
		c := text[n]
		// Of the pieces that share text[:n], keep those that go on with c.
		lo := sort.Search(len(list), func(i int) bool { return len(list[i].text) > n && list[i].text[n] >= c })
		list = list[lo:]
		list = list[:sort.Search(len(list), func(i int) bool { return list[i].text[n] > c })]
		if len(list) == 0 {
			return
		}
		if len(list[0].text) == n+1 {
			f(list[0])
		}
	}
}

// step is the best way to reach one byte of a word.
type step struct {
	score float64
	from  int
	id    int32
	known bool // reached at all
}

func (s *step) offer(score float64, from int, id int32) {
	if !s.known || score > s.score {
		*s = step{score, from, id, true}
	}
}

// appendWord appends the ids of the best segmentation of one word (Viterbi). Neighbouring unknown characters are one
// token.
func (m *unigram) appendWord(dst []token, word aligned) []token {
	text := word.text
	best := make([]step, len(text)+1)
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		score, single := best[i].score, false
		m.eachPrefix(text[i:], func(p scoredPiece) {
			best[i+len(p.text)].offer(score+p.score, i, p.id)
			single = single || len(p.text) == size
		})
		if !single {
			best[i+size].offer(score+m.penalty, i, m.unknown)
		}
		i += size
	}
	var cuts []int // ends of tokens, from the last to the first
	for end, fused := len(text), false; end > 0; end = best[end].from {
		unknown := best[end].id == m.unknown
		if !unknown || !fused {
			cuts = append(cuts, end)
		}
		fused = unknown
	}
	start := 0
	for i := len(cuts) - 1; i >= 0; i-- {
		id, ok := m.ids[text[start:cuts[i]]]
		if !ok {
			id = m.unknown
		}
		dst = append(dst, token{id, word.at[start]})
		start = cuts[i]
	}
	return dst
}
