package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"taca/internal/assembly"
	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// recognise tells the components of a model in a single file, or why it holds
// none, and which encoders it has nevertheless.
func (c *contents) recognise(f *checkpoint.File, all bool) error {
	found, err := dialect.Read(f)
	var unknown *checkpoint.Error
	if errors.As(err, &unknown) {
		c.Refused = unknown.Problem
		if found, err = dialect.Encoders(f); err != nil {
			return nil // it has been said
		}
	}
	c.Parts = nil
	for _, component := range found {
		p := survey(string(component.Kind), component.Stored, all)
		p.Dialect, p.Prefix = component.Dialect, component.Prefix
		if p.Fits, p.Flag, err = assembly.Fits(component); err != nil {
			return err
		}
		c.Parts = append(c.Parts, p)
		c.Kind += ", " + p.Name
	}
	return nil
}

// printFits says where a part can be used.
func (p part) printFits(to io.Writer) {
	switch {
	case p.Flag == "":
	case len(p.Fits) > 0:
		fmt.Fprintf(to, "%s: of the sizes of %s; %s gives it\n", p.Name, strings.Join(p.Fits, ", "), p.Flag)
	default:
		fmt.Fprintf(to, "%s: of the sizes of no preset; %s gives it\n", p.Name, p.Flag)
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
