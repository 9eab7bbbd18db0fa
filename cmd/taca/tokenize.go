package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"taca/configs"
)

func newTokenizeCommand(a *app) *cobra.Command {
	var model string
	var maxLength int
	var asJSON bool
	c := &cobra.Command{
		Use:     "tokenize TEXT",
		Short:   "print the token ids that the text encoders read",
		Example: `  taca tokenize --model ~/models/FLUX.1-dev --json "a fox in the snow"`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			return runTokenize(a, model, maxLength, asJSON, args[0])
		},
	}
	c.Flags().StringVarP(&model, "model", "m", "", "diffusers folder or preset (default: the embedded model)")
	c.Flags().IntVar(&maxLength, "max-sequence-length", 0, "T5 tokens (0: the model's own)")
	c.Flags().BoolVar(&asJSON, "json", false, `print {"clip": [77 ids], "t5": [N ids]}, padding included`)
	return c
}

func runTokenize(a *app, name string, maxLength int, asJSON bool, text string) error {
	m, err := readModel(a.find(configs.Settings{Model: name}, false))
	if err != nil {
		return err
	}
	fill(&maxLength, presetLength(name))
	fill(&maxLength, m.Defaults().MaxLength)
	tokens, err := m.Tokenize(text, maxLength)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Cut != "" {
			a.say("taca: %s", cutRemark(t.Encoder, len(t.IDs), t.Cut))
		}
	}
	if asJSON {
		ids := map[string][]int32{}
		for _, t := range tokens {
			ids[t.Kind] = t.IDs
		}
		return json.NewEncoder(a.stdout).Encode(ids)
	}
	for _, t := range tokens {
		_, err := fmt.Fprintf(a.stdout, "%s (%s): %s, then %d of padding\n", t.Kind, t.Encoder,
			strings.Trim(fmt.Sprint(t.IDs[:t.Length]), "[]"), len(t.IDs)-t.Length)
		if err != nil {
			return err
		}
	}
	return nil
}

// presetLength is the number of T5 tokens a preset names; 0 where name is none.
func presetLength(name string) int {
	if name == "" {
		name = demoPreset
	}
	var s configs.Settings
	if preset, ok, err := configs.Find(name); err == nil && ok && preset.Apply(&s) == nil {
		return s.MaxLength
	}
	return 0
}
