package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/assembly"
	"taca/internal/checkpoint"
	"taca/internal/convert"
	"taca/internal/pipeline"
	"taca/internal/residency"
	"taca/internal/tensor"
)

func newConvertCommand(a *app) *cobra.Command {
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "convert [--weights FORMAT] FOLDER|FILE.safetensors",
		Short: "write a model as a folder or as a single file, exactly or with other weights",
		Long: `convert writes a model, of a folder, of single files or of GGUF, to a new
diffusers folder, or to a single file where its name ends in .safetensors.
Without --weights all numbers stay as they are, bit for bit. With it the matrices
of the transformer's blocks, whatever they were, become

  bf16  two bytes; all else that is narrower is widened to it, too
  f8    one byte (F8_E4M3), as other programs read it
  q8    one byte: rotated rows of int8 and a scale each; on processors the fastest
  q4    half a byte: rotated rows of four bits, a factor for every 32

A single file has its authors' names, under the prefixes of whole pipelines where
it holds several components, as ComfyUI and others read it. It holds what --model
and the flags of parts name, be it a VAE alone, and what --base lends; never
tokenizers.

GGUF's blocks of weights, for which safetensors has no word, need --weights; where
they are of other components than the transformer, they become bf16. q8 and q4 are
read by taca alone. On a card they save memory, not time. The same conversions to
narrower weights are made at every start by taca generate --weights.`,
		Example: `  taca convert --model flux-dev --weights q8 ~/models/flux-dev-q8
  taca convert --model flux1-dev.safetensors --weights f8 flux1-dev-f8.safetensors
  taca convert --model sd3.5_medium.safetensors --base sd35-medium ~/models/sd35-medium
  taca convert --model ~/models/sd35-medium sd3.5_medium_incl_clips_t5xxl.safetensors
  taca convert --model flux1-dev-Q8_0.gguf --weights bf16 flux1-dev.safetensors`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := settings.resolve(c, sources{})
			if err != nil {
				return err
			}
			return runConvert(c.Context(), a, s, args[0])
		},
	}
	settings.folder(c)
	settings.weights(c)
	c.Flags().SortFlags = false
	return c
}

func runConvert(ctx context.Context, a *app, s configs.Settings, to string) error {
	var format *tensor.DType
	if d, known := weightFormats[s.Weights]; known {
		format = &d
	} else if s.Weights != "" {
		return unknownWeights(s.Weights)
	}
	write := a.convertFolder
	switch strings.ToLower(filepath.Ext(to)) {
	case ".safetensors", ".sft":
		write = a.convertFile
	case ".gguf", ".ckpt", ".pt", ".pth", ".bin":
		return usagef("convert: %s: what is written is a folder, or a file whose name ends in .safetensors", to)
	}
	err := write(ctx, s, format, to)
	var wordless *convert.Wordless
	var busy *convert.Busy
	switch {
	case errors.As(err, &wordless):
		return usagef("%w: give --weights bf16 for the numbers that they stand for, or f8, q8 or q4", wordless)
	case errors.As(err, &busy):
		return usagef("convert: %w", busy)
	case errors.Is(err, fs.ErrExist):
		return usagef("convert: %s is there already: give a new name", to)
	}
	return err
}

// convertFolder writes a whole model as a diffusers folder.
func (a *app) convertFolder(ctx context.Context, s configs.Settings, format *tensor.DType, to string) error {
	m, err := readModel(a.find(s, false))
	if err != nil {
		return err
	}
	if err := sound(ctx, m, s); err != nil {
		return err
	}
	err = m.EachPart(func(_ string, s checkpoint.Source) { a.warnTwice(s, format) })
	if err != nil {
		return err
	}
	bar := &convertBar{app: a}
	before, after, err := m.Save(ctx, to, format, bar.show)
	bar.close()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: transformer %s, was %s\n", to, residency.Text(after), residency.Text(before))
	return err
}

// sound refuses a model with missing, strange or misshapen tensors before any is
// written.
func sound(ctx context.Context, m *pipeline.Model, s configs.Settings) error {
	if _, err := m.Plan(ctx, request(s, m.Defaults()), tensor.BF16); err != nil {
		return modelError{err}
	}
	return nil
}

// warnTwice says that weights are rounded a second time.
func (a *app) warnTwice(s checkpoint.Source, format *tensor.DType) {
	if format == nil {
		return
	}
	if from := convert.Twice(s, *format); from != "" {
		a.say("taca: weights of %s are rounded a second time: where you have the original ones, convert these", from)
	}
}

// convertFile writes what was named as a single file.
func (a *app) convertFile(ctx context.Context, s configs.Settings, format *tensor.DType, to string) error {
	files, base, err := sourcesOf(s)
	if err != nil {
		return err
	}
	m, err := assembly.Read(files)
	if err != nil {
		return modelError{err}
	}
	var from assembly.Lender
	if base != "" || files == (assembly.Files{}) {
		if from.Folder, err = locate(base); err != nil {
			return err
		}
	}
	if files == (assembly.Files{}) {
		if whole, err := readModel(from.Folder, nil); err != nil {
			return err
		} else if err := sound(ctx, whole, s); err != nil {
			return err
		}
	}
	parts, closed, err := m.Parts(from)
	if err != nil {
		return modelError{err}
	}
	defer closed()
	if format != nil && *format != tensor.BF16 && !m.Paints() && from.Folder == nil {
		return usagef("--weights %s is for the blocks of transformers, and none was given: give one with --model or --transformer, or leave --weights out", s.Weights)
	}
	var names []string
	before, after := 0, 0
	for _, p := range parts {
		before += checkpoint.Bytes(p)
		a.warnTwice(p, format)
		names = append(names, string(p.Kind))
	}
	bar := &convertBar{app: a}
	err = convert.Whole(to, func(place string) error {
		after, err = convert.File(ctx, place, parts, format, bar.show)
		return err
	})
	bar.close()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s, %s, was %s\n", to, strings.Join(names, ", "), residency.Text(after), residency.Text(before))
	return err
}

// convertBar shows how far a component, or a file, is, on terminals only.
type convertBar struct {
	app   *app
	bar   *progressbar.ProgressBar
	total int
}

// show brings the bar up to date, or begins the next.
func (b *convertBar) show(done, total int) {
	if !b.app.terminal {
		return
	}
	if b.bar == nil || b.total != total {
		b.close()
		b.total = total
		b.bar = b.app.byteBar(int64(total), "converting")
	}
	_ = b.bar.Set(done) // a bar that cannot be drawn is no reason to stop
}

// close wipes the bar.
func (b *convertBar) close() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}
