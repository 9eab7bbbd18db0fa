package tokenizer

import (
	"sort"
	"strings"
)

// Hangul syllables are computed (The Unicode Standard, section 3.12).
const (
	hangulL, hangulV, hangulT, hangulS = 0x1100, 0x1161, 0x11A7, 0xAC00
	countL, countV, countT             = 19, 21, 28
)

// mark is one character with its canonical combining class and its place in the prompt.
type mark struct {
	r     rune
	class uint8
	at    int
}

// nfc brings text into normalisation form C (UAX #15), without the limit on the number of marks of the stream-safe
// format that golang.org/x/text imposes.
func nfc(a aligned) aligned {
	if strings.IndexFunc(a.text, func(r rune) bool { return r >= 0x80 }) < 0 {
		return a
	}
	t := unicodeTables()
	var marks []mark
	for i, r := range a.text {
		marks = t.appendDecomposed(marks, r, a.at[i])
	}
	for lo := 0; lo < len(marks); lo++ {
		hi := lo
		for hi < len(marks) && marks[hi].class != 0 {
			hi++
		}
		run := marks[lo:hi]
		sort.SliceStable(run, func(i, j int) bool { return run[i].class < run[j].class })
		lo = hi
	}
	var b alignedBuilder
	for _, m := range t.composed(marks) {
		b.add(m.r, m.at)
	}
	return b.aligned()
}

func (t *characterTables) appendDecomposed(dst []mark, r rune, at int) []mark {
	if s := r - hangulS; s >= 0 && s < countL*countV*countT {
		dst = append(dst, mark{hangulL + s/(countV*countT), 0, at}, mark{hangulV + s/countT%countV, 0, at})
		if s%countT != 0 {
			dst = append(dst, mark{hangulT + s%countT, 0, at})
		}
		return dst
	}
	parts, ok := t.decompose[r]
	if !ok {
		return append(dst, mark{r, t.class.at(r), at})
	}
	for _, p := range parts {
		dst = t.appendDecomposed(dst, p, at)
	}
	return dst
}

// composed joins marks to the starter before them, in place. A mark is blocked by an earlier one of the same or a
// higher class.
func (t *characterTables) composed(marks []mark) []mark {
	out := marks[:0]
	starter, last := -1, -1
	for _, m := range marks {
		if starter >= 0 && last < int(m.class) {
			if r, ok := t.composePair(out[starter].r, m.r); ok {
				out[starter].r = r
				continue
			}
		}
		if m.class == 0 {
			starter, last = len(out), -1
		} else if starter >= 0 {
			last = int(m.class)
		}
		out = append(out, m)
	}
	return out
}

func (t *characterTables) composePair(a, b rune) (rune, bool) {
	if l, v := a-hangulL, b-hangulV; l >= 0 && l < countL && v >= 0 && v < countV {
		return hangulS + (l*countV+v)*countT, true
	}
	if s, u := a-hangulS, b-hangulT; s >= 0 && s < countL*countV*countT && s%countT == 0 && u > 0 && u < countT {
		return a + u, true
	}
	r, ok := t.compose[[2]rune{a, b}]
	return r, ok
}
