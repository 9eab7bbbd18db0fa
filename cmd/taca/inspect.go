package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/picture"
	"taca/internal/residency"
)

func newInspectCommand(a *app) *cobra.Command {
	var all, asJSON bool
	var model string
	c := &cobra.Command{
		Use:   "inspect FILE|DIR",
		Short: "say what a model folder, a safetensors or GGUF file or a picture holds",
		Example: `  taca inspect ~/models/FLUX.1-dev
  taca inspect lora.safetensors
  taca inspect vae.safetensors --tensors
  taca inspect fox.png`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			found, err := inspect(args[0], all, model)
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(a.stdout)
				e.SetEscapeHTML(false)
				return e.Encode(found)
			}
			return found.print(a.stdout)
		},
	}
	c.Flags().BoolVar(&all, "tensors", false, "list every tensor")
	c.Flags().StringVarP(&model, "model", "m", "", "`folder` or preset to hold a LoRA against (default: all presets)")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// contents is what taca inspect finds.
type contents struct {
	Path     string            `json:"path"`
	Kind     string            `json:"kind"`
	Parts    []part            `json:"parts,omitempty"`
	Adapter  *adapterContents  `json:"adapter,omitempty"`
	Refused  string            `json:"refused,omitempty"` // why taca cannot use it
	Metadata map[string]string `json:"metadata,omitempty"`
}

// part is one component of a folder, or a file.
type part struct {
	Name       string         `json:"name"`
	Dialect    string         `json:"dialect,omitempty"` // of the tensors' names
	Prefix     string         `json:"prefix,omitempty"`  // of the tensors' names
	Tensors    int            `json:"tensors"`
	Parameters int            `json:"parameters"`
	Bytes      int            `json:"bytes"`
	Formats    map[string]int `json:"formats"`        // tensors of each number format
	Fits       []string       `json:"fits,omitempty"` // presets with a component of just these sizes
	Flag       string         `json:"flag,omitempty"` // that gives it
	List       []tensorLine   `json:"list,omitempty"`
}

type tensorLine struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
}

func inspect(path string, all bool, model string) (*contents, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, usagef("inspect %s: %w", path, cause(err))
	case info.IsDir():
		return inspectFolder(path, all)
	case strings.EqualFold(filepath.Ext(path), ".png"):
		remarks, err := picture.Remarks(path)
		if err != nil {
			return nil, usageError{err}
		}
		return &contents{Path: path, Kind: "PNG picture", Metadata: remarks}, nil
	}
	f, err := checkpoint.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := &contents{Path: path, Kind: f.Kind(), Metadata: f.Metadata(), Parts: []part{survey(filepath.Base(path), f, all)}}
	if trainer, ok := lora.Trainer(f.Names()); ok {
		found.Kind = "LoRA, " + trainer
		var refused *lora.Error
		if found.Adapter, err = inspectLoRA(path, model); errors.As(err, &refused) {
			found.Refused, err = refused.Problem, nil
		}
	} else {
		err = found.recognise(f, all)
	}
	return found, err
}

func inspectFolder(path string, all bool) (*contents, error) {
	m, err := readModel(openFolder(path))
	if err != nil {
		return nil, err
	}
	found := &contents{Path: path, Kind: m.Class}
	err = m.EachPart(func(name string, s checkpoint.Source) {
		found.Parts = append(found.Parts, survey(name, s, all))
	})
	return found, err
}

// survey counts what a source holds.
func survey(name string, s checkpoint.Source, all bool) part {
	p := part{Name: name, Formats: map[string]int{}}
	for _, n := range s.Names() {
		raw, _ := s.Tensor(n)
		p.Tensors++
		p.Parameters += raw.Elements()
		p.Bytes += len(raw.Bytes)
		format := raw.Type
		if raw.Scale != 0 {
			format += " scaled"
		}
		p.Formats[format]++
		if all {
			p.List = append(p.List, tensorLine{n, raw.Type, raw.Shape})
		}
	}
	return p
}

func (c *contents) print(to io.Writer) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s: %s\n", c.Path, c.Kind)
	for _, p := range c.Parts {
		var formats []string
		for _, f := range slices.Sorted(maps.Keys(p.Formats)) {
			formats = append(formats, fmt.Sprintf("%d %s", p.Formats[f], f))
		}
		fmt.Fprintf(w, "%s\t%d tensors\t%.3f M parameters\t%s\t%s%s\n", p.Name, p.Tensors, float64(p.Parameters)/1e6, residency.Text(p.Bytes), strings.Join(formats, ", "), p.spelt())
		for _, t := range p.List {
			fmt.Fprintf(w, "  %s\t%s\t%v\n", t.Name, t.Type, t.Shape)
		}
	}
	for _, p := range c.Parts {
		p.printFits(w)
	}
	if c.Adapter != nil {
		c.Adapter.print(w)
	}
	if c.Refused != "" {
		fmt.Fprintf(w, "not usable: %s\n", c.Refused)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
		fmt.Fprintf(w, "%s: %s\n", key, c.Metadata[key])
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(to, legible(text.String(), "\n"))
	return err
}
