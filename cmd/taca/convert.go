package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/residency"
)

func newConvertCommand(a *app) *cobra.Command {
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "convert [--weights FORMAT] FOLDER",
		Short: "write a model as a folder, its transformer with narrower weights if wanted",
		Long: `convert writes the model to a new folder, with the matrices of the
transformer's blocks in another format; all other tensors and files are copied
as they are.

  bf16  two bytes
  f8    one byte (F8_E4M3), as other programs read it
  q8    one byte: rotated rows of int8 and a scale each; on processors the fastest
  q4    half a byte: rotated rows of four bits, a factor for every 32

Of a model in single files it makes a diffusers folder, with or without another
format: names become diffusers', numbers stay as they are.

q8 and q4 are read by taca alone. On a card they save memory, not time. The same
conversions are made at every start by taca generate --weights.`,
		Example: `  taca convert --model flux-dev --weights q8 ~/models/flux-dev-q8
  taca generate --model ~/models/flux-dev-q8 -p "a fox in the snow"
  taca convert --model sd3.5_medium.safetensors --base sd35-medium ~/models/sd35-medium`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := settings.resolve(c, sources{})
			if err != nil {
				return err
			}
			return runConvert(c, a, s, args[0])
		},
	}
	settings.folder(c)
	settings.weights(c)
	c.Flags().SortFlags = false
	return c
}

func runConvert(c *cobra.Command, a *app, s configs.Settings, to string) error {
	if s.Weights == "" && !s.Parts.Any() && !isFile(s.Model) {
		return usagef("convert needs --weights: bf16, f8, q8 or q4; or a model in single files, to make a folder of them")
	}
	folder, err := a.find(s, false)
	m, err := readModelIn(s.Weights, folder, err)
	if err != nil {
		return err
	}
	before, after, err := m.Save(c.Context(), to)
	if errors.Is(err, fs.ErrExist) {
		return usagef("convert: %s is there already: give a new folder", to)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: transformer %s, was %s\n", to, residency.Text(after), residency.Text(before))
	return err
}
