package tokenizer

import (
	_ "embed"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
)

// unicodeText is written by testdata/unicode_tables.py, which says where each table comes from.
//
//go:embed unicode.txt
var unicodeText string

// unicodeTables reads unicodeText, once.
var unicodeTables = sync.OnceValue(func() *characterTables {
	t := &characterTables{decompose: map[rune][]rune{}, compose: map[[2]rune]rune{}}
	section := ""
	for line := range strings.Lines(unicodeText) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# "); ok {
			section = name
		} else if section != "" {
			t.read(section, strings.Fields(line))
		}
	}
	return t
})

// characterTables are the properties of characters as the reference tokenizers see them.
type characterTables struct {
	letter, number, word           rangeTable
	class                          rangeTable // canonical combining class
	grapheme                       rangeTable // a graphemeKind
	conjunctExtend, conjunctLinker rangeTable // UAX #29, rule GB9c
	lower                          []lowerRun
	decompose                      map[rune][]rune // one step for those that compose, else in full
	compose                        map[[2]rune]rune
}

// lowerRun says that lo, lo+step, .. hi become lower case by adding delta.
type lowerRun struct{ lo, hi, step, delta rune }

type runeRange struct {
	lo, hi rune
	value  uint8
}

// rangeTable is sorted; characters in no range have value 0.
type rangeTable []runeRange

func (t rangeTable) at(r rune) uint8 {
	i := sort.Search(len(t), func(i int) bool { return t[i].hi >= r })
	if i < len(t) && t[i].lo <= r {
		return t[i].value
	}
	return 0
}

func (t rangeTable) has(r rune) bool { return t.at(r) != 0 }

// read adds one line to its section.
func (t *characterTables) read(section string, fields []string) {
	switch section {
	case "letter":
		t.letter = append(t.letter, parseRange(fields[0], 1))
	case "number":
		t.number = append(t.number, parseRange(fields[0], 1))
	case "word":
		t.word = append(t.word, parseRange(fields[0], 1))
	case "class":
		t.class = append(t.class, parseRange(fields[0], uint8(parseNumber(fields[1], 10))))
	case "grapheme":
		kind := slices.Index(graphemeNames, fields[1])
		if kind < 0 {
			panic("tokenizer: unicode.txt: unknown grapheme kind " + fields[1])
		}
		t.grapheme = append(t.grapheme, parseRange(fields[0], uint8(kind)))
	case "conjunct extend":
		t.conjunctExtend = append(t.conjunctExtend, parseRange(fields[0], 1))
	case "conjunct linker":
		t.conjunctLinker = append(t.conjunctLinker, parseRange(fields[0], 1))
	case "lower":
		r := parseRange(fields[0], 1)
		t.lower = append(t.lower, lowerRun{r.lo, r.hi, parseNumber(fields[1], 10), parseNumber(fields[2], 10)})
	case "compose":
		t.readComposition(fields)
	default:
		panic("tokenizer: unicode.txt: unknown section " + section)
	}
}

func (t *characterTables) readComposition(fields []string) {
	once := fields[0] == "!" // taken apart, never put together
	if once {
		fields = fields[1:]
	}
	var runes []rune
	for _, f := range fields {
		runes = append(runes, parseNumber(f, 16))
	}
	t.decompose[runes[0]] = runes[1:]
	if !once {
		t.compose[[2]rune{runes[1], runes[2]}] = runes[0]
	}
}

func parseRange(s string, value uint8) runeRange {
	lo, hi, found := strings.Cut(s, "-")
	if !found {
		hi = lo
	}
	return runeRange{parseNumber(lo, 16), parseNumber(hi, 16), value}
}

// parseNumber panics: the text is ours and a test reads all of it.
func parseNumber(s string, base int) rune {
	n, err := strconv.ParseInt(s, base, 32)
	if err != nil {
		panic(fmt.Sprintf("tokenizer: unicode.txt: %v", err))
	}
	return rune(n)
}

// toLower is the lower case of one character. U+0130 becomes two characters; its dot is left to the caller.
func (t *characterTables) toLower(r rune) rune {
	if r < 0x80 {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	i := sort.Search(len(t.lower), func(i int) bool { return t.lower[i].hi >= r })
	if i < len(t.lower) && t.lower[i].lo <= r && (r-t.lower[i].lo)%t.lower[i].step == 0 {
		return r + t.lower[i].delta
	}
	return r
}
