package sweep

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Prompt is one row of what is painted.
type Prompt struct {
	Text     string            `json:"prompt"`
	Negative string            `json:"negative_prompt,omitempty"`
	Name     string            `json:"name,omitempty"`    // for the names of files, instead of the text
	Columns  map[string]string `json:"columns,omitempty"` // whatever else the file says of it
}

// The columns that mean something; the others go along.
const (
	promptColumn   = "prompt"
	negativeColumn = "negative_prompt"
	nameColumn     = "name"
)

// ReadPrompts reads prompts from a file's content: CSV with a line of column
// names or JSON lines, as the file is called, else one prompt a line.
func ReadPrompts(file string, content []byte) ([]Prompt, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	var prompts []Prompt
	var err error
	switch strings.ToLower(filepath.Ext(file)) {
	case ".csv":
		prompts, err = readCSV(content, ',')
	case ".tsv":
		prompts, err = readCSV(content, '\t')
	case ".jsonl", ".ndjson":
		prompts, err = readJSONLines(content)
	default:
		for _, line := range strings.Split(string(content), "\n") {
			if line = strings.TrimSpace(line); line != "" {
				prompts = append(prompts, Prompt{Text: line})
			}
		}
	}
	if err == nil && len(prompts) == 0 {
		err = errors.New("it holds no prompts")
	}
	return prompts, err
}

func readCSV(content []byte, comma rune) ([]Prompt, error) {
	r := csv.NewReader(bytes.NewReader(content))
	r.Comma = comma
	names, err := r.Read()
	if err != nil && err != io.EOF {
		return nil, err
	}
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	if !slices.Contains(names, promptColumn) {
		return nil, fmt.Errorf("no column is called %s: the first line names the columns", promptColumn)
	}
	var prompts []Prompt
	for {
		row, err := r.Read()
		if err == io.EOF {
			return prompts, nil
		}
		if err != nil {
			return nil, err
		}
		columns := map[string]string{}
		for i, name := range names {
			columns[name] = row[i]
		}
		prompts = append(prompts, promptOf(columns))
	}
}

func readJSONLines(content []byte) ([]Prompt, error) {
	var prompts []Prompt
	for n, line := range bytes.Split(content, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var values map[string]json.RawMessage
		if err := json.Unmarshal(line, &values); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		columns := map[string]string{}
		for name, raw := range values {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw) // a number or a list, as it stands
			}
			columns[name] = text
		}
		if _, found := columns[promptColumn]; !found {
			return nil, fmt.Errorf("line %d: it has no %q", n+1, promptColumn)
		}
		prompts = append(prompts, promptOf(columns))
	}
	return prompts, nil
}

// promptOf takes the columns that mean something out of the others.
func promptOf(columns map[string]string) Prompt {
	p := Prompt{Text: columns[promptColumn], Negative: columns[negativeColumn], Name: columns[nameColumn]}
	for _, known := range []string{promptColumn, negativeColumn, nameColumn} {
		delete(columns, known)
	}
	if len(columns) > 0 {
		p.Columns = columns
	}
	return p
}
