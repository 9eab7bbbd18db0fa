package main

import (
	"errors"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// recognise tells the components of a model in a single file, or why it holds
// none.
func (c *contents) recognise(f *checkpoint.File, all bool) {
	found, err := dialect.Read(f)
	var unknown *checkpoint.Error
	if errors.As(err, &unknown) {
		c.Refused = unknown.Problem
		return
	}
	c.Parts = nil
	for _, component := range found {
		p := survey(string(component.Kind), component.Stored, all)
		p.Dialect, p.Prefix = component.Dialect, component.Prefix
		c.Parts = append(c.Parts, p)
		c.Kind += ", " + p.Name
	}
}

// spelt says whose names a part's tensors have.
func (p part) spelt() string {
	if p.Dialect == "" {
		return ""
	}
	text := "\tnames: " + p.Dialect
	if p.Prefix != "" {
		text += ", under " + p.Prefix
	}
	return text
}
