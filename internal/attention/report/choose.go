package report

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// mostWords is how many words a figure has room for.
const mostWords = 8

// small are words that say nothing about what is seen.
var small = strings.Fields("a an the and or but of to in on at by for from with into onto is are it its as that this there left right side next")

// Chosen is a word that figures show: its place among the report's words, and
// how it is labelled.
type Chosen struct {
	Index int
	Label string
}

// bare is a word without the signs around it, in small letters.
func bare(word string) string {
	return strings.ToLower(strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }))
}

// Choose picks the words of the figures: those named, or the first few that say
// what is seen. The error says which name is no word of the prompt.
func (r *Report) Choose(named []string) ([]Chosen, error) {
	times := map[string]int{}
	var all []Chosen
	for i, w := range r.Words {
		label := bare(w.Text)
		if label == "" {
			label = w.Text
		}
		if times[label]++; times[label] > 1 {
			label = fmt.Sprintf("%s (%d)", label, times[label])
		}
		all = append(all, Chosen{i, label})
	}
	if len(named) == 0 {
		telling := slices.DeleteFunc(slices.Clone(all), func(c Chosen) bool { return slices.Contains(small, bare(r.Words[c.Index].Text)) })
		if len(telling) == 0 {
			telling = all
		}
		return telling[:min(len(telling), mostWords)], nil
	}
	var chosen []Chosen
	for _, name := range named {
		before := len(chosen)
		for _, c := range all {
			if bare(r.Words[c.Index].Text) == bare(name) {
				chosen = append(chosen, c)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("%q is no word of the prompt that the model reads", name)
		}
	}
	if len(chosen) > mostWords {
		return nil, fmt.Errorf("%d words: a figure has room for %d", len(chosen), mostWords)
	}
	return chosen, nil
}
