package compbench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// suffix is how the benchmark calls its files of prompts to measure with; what
// goes before it is the category.
const suffix = "_val.txt"

// Category is a file of prompts.
type Category struct {
	Name    string
	Prompts []string
}

// ReadCategories reads the files of prompts in a folder, all of them or those
// that are named.
func ReadCategories(folder string, named []string) ([]Category, error) {
	if len(named) == 0 {
		files, err := filepath.Glob(filepath.Join(folder, "*"+suffix))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			named = append(named, strings.TrimSuffix(filepath.Base(f), suffix))
		}
		slices.Sort(named)
	}
	if len(named) == 0 {
		return nil, fmt.Errorf("%s holds no prompts: give the benchmark's folder examples/dataset, which has color%s and others", folder, suffix)
	}
	var all []Category
	for i, name := range named {
		if slices.Contains(named[:i], name) {
			return nil, fmt.Errorf("category %s is there twice", name)
		}
		if name == "" || name != filepath.Base(name) {
			return nil, fmt.Errorf("%q is no name of a category", name)
		}
		path := filepath.Join(folder, name+suffix)
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, errors.Unwrap(err))
		}
		prompts, err := readPrompts(string(data))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		all = append(all, Category{name, prompts})
	}
	return all, nil
}

// readPrompts reads lines as the benchmark's own script does: what stands before
// a tab is the prompt, blanks included.
func readPrompts(text string) ([]string, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("it is no UTF-8 text")
	}
	var prompts []string
	for i, line := range lines(text) {
		prompt, _, _ := strings.Cut(line, "\t")
		if err := nameable(prompt); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		prompts = append(prompts, prompt)
	}
	if len(prompts) == 0 {
		return nil, errors.New("it holds no prompts")
	}
	return prompts, nil
}

// lines breaks text where Python's splitlines does.
func lines(text string) []string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	ends := func(r rune) bool { return strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", r) }
	var all []string
	for text != "" {
		at := strings.IndexFunc(text, ends)
		if at < 0 {
			return append(all, text)
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		all, text = append(all, text[:at]), text[at+size:]
	}
	return all
}
