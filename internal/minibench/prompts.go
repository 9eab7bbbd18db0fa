package minibench

import (
	"fmt"
	"slices"
	"strings"

	"taca/internal/checker"
	"taca/internal/demo"
)

// Categories are the kinds of prompts, as T2I-CompBench has them.
var Categories = []string{"color", "shape", "texture", "spatial"}

// MostPrompts is how many prompts there are of each category.
const MostPrompts = 1024

// Question is a prompt of a category.
type Question struct {
	Category string
	checker.Prompt
}

// Questions are the first prompts of every category, by turns, so that where
// more are asked those before them stay at their places.
func Questions(perCategory int) ([]Question, error) {
	if perCategory < 1 || perCategory > MostPrompts {
		return nil, fmt.Errorf("%d prompts a category: there are 1 to %d", perCategory, MostPrompts)
	}
	questions := make([]Question, perCategory*len(Categories))
	filled := make([]int, len(Categories))
	for line := range strings.Lines(demo.Prompts()) {
		category, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		at := slices.Index(Categories, category)
		if at < 0 {
			return nil, fmt.Errorf("embedded prompt %q: no such category", text)
		}
		if filled[at] == perCategory {
			continue
		}
		prompt, err := checker.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("embedded %w", err)
		}
		questions[filled[at]*len(Categories)+at] = Question{category, prompt}
		filled[at]++
	}
	return questions, nil
}
