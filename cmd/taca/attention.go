package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"taca/internal/atomicfile"
	attention "taca/internal/attention/report"
	"taca/internal/picture"
	"taca/internal/pipeline"
	"taca/internal/trace"
)

// attentionOptions are the flags that belong to attention alone.
type attentionOptions struct {
	config, out string
	words       []string
	quiet       bool
}

// The files of attention's folder, beside the runs' pictures.
const (
	attentionNumbers = "attention.json"
	attentionMaps    = "maps.safetensors"
	attentionCurves  = "curves.png"
	attentionWords   = "words.png"
)

func newAttentionCommand(a *app) *cobra.Command {
	var opts attentionOptions
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "attention --prompt TEXT",
		Short: "paint with gamma off and on, and show how the picture attends to the words",
		Long: `attention paints a prompt with plain attention and with TACA, from the same noise,
and records in every step and block how the visual tokens attend to the text:
the share that text has, the entropy, and a map of every word over the picture.

It writes a folder: ` + attentionCurves + ` (shares and entropy over steps, blocks and words),
` + attentionWords + ` (maps of words over the picture, in early steps), ` + attentionNumbers + ` (all
numbers, by step, block and head), ` + attentionMaps + ` (every word's map in every step,
as numbers), and both pictures. With --gamma 1 there is but the plain run.
Under classifier-free guidance the prompt's half is recorded, not the negative
prompt's.`,
		Example: `  taca attention -p "a red metal sphere to the left of a blue cube"
  taca attention -m flux-dev -p "a fox in the snow" --gamma 1.3 --words fox,snow -o fox`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runAttention(c, a, settings, opts) },
	}
	settings.prompt(c)
	settings.negative(c)
	settings.seed(c)
	settings.lora(c)
	settings.tacaLoRA(c)
	settings.model(c)
	settings.picture(c)
	settings.taca(c)
	settings.conditioning(c)
	fl := c.Flags()
	fl.StringVar(&opts.config, "config", "", "YAML file of settings; keys are the names of generate's flags with underscores")
	fl.StringVarP(&opts.out, "out", "o", "taca-attention", "`folder` that is written")
	fl.StringSliceVar(&opts.words, "words", nil, "`words` of the prompt that the figures show, at most 8 (default: the first that say what is seen)")
	fl.BoolVar(&opts.quiet, "quiet", false, "no progress and no remarks")
	fl.SortFlags = false
	return c
}

// runAttention does the work of taca attention.
func runAttention(c *cobra.Command, a *app, flags *settingFlags, opts attentionOptions) error {
	a.hush(opts.quiet)
	s, err := flags.read(c, a, &generateOptions{config: opts.config})
	if err != nil {
		return err
	}
	if strings.TrimSpace(s.Prompt) == "" {
		return usagef("the prompt is empty: there are no words to attend to")
	}
	if s.Cache != 0 {
		return usagef("cache %g: a step that leaves out blocks shows no attention in them: leave it out of %s", s.Cache, opts.config)
	}
	if s.Image != "" {
		return usagef("image %s: attention is recorded of runs that start from noise: leave it out of %s", s.Image, opts.config)
	}
	w := &attending{generation: &generation{app: a, settings: s, started: time.Now()}, options: opts}
	if err := w.prepare(); err != nil {
		return err
	}
	defer w.close()
	if err := w.begin(c.Context()); err != nil {
		return err
	}
	return w.paintBoth(c.Context())
}

// attending is one run of taca attention.
type attending struct {
	*generation
	options attentionOptions
	report  *attention.Report // of no run yet
	chosen  []attention.Chosen
}

// begin finds out before the work what would stand in its way.
func (w *attending) begin(ctx context.Context) error {
	var err error
	words, err := w.model.Words(w.record.Prompt, w.record.MaxLength)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return usagef("the prompt has no word that the model reads")
	}
	geometry, err := w.model.Geometry()
	if err != nil {
		return modelError{err}
	}
	w.report = attention.New(w.record, w.record.modelName(), w.record.Prompt, geometry.Patches(w.record.Width, w.record.Height), words)
	if w.chosen, err = w.report.Choose(w.options.words); err != nil {
		return usagef("--words: %w", err)
	}
	if err := os.MkdirAll(w.options.out, 0o777); err != nil {
		return fmt.Errorf("make folder %s: %w: choose another with --out", w.options.out, cause(err))
	}
	if err := atomicfile.Writable(filepath.Join(w.options.out, attentionNumbers)); err != nil {
		return err
	}
	w.recorded = true
	return w.load(ctx)
}

// paintBoth makes the pictures, without and with TACA, and tells of them.
func (w *attending) paintBoth(ctx context.Context) error {
	texts, err := w.pipe.Read(ctx, w.record.Request, w.watch)
	if err != nil {
		return err
	}
	w.warn(texts)
	plain, taca := w.record, w.record
	plain.TACA = pipeline.TACA{Gamma: 1}
	if err := w.paint(ctx, "plain", plain, texts); err != nil {
		return err
	}
	if w.acts() {
		if err := w.paint(ctx, "taca", taca, texts); err != nil {
			return err
		}
	}
	w.progress.clear()
	if err := w.keepAll(); err != nil {
		return err
	}
	w.summary()
	return nil
}

// acts reports whether gamma is not 1 in any step.
func (w *attending) acts() bool {
	steps, err := w.model.Steps(w.record.Request)
	for _, s := range steps {
		if err == nil && s.Gamma != 1 {
			return true
		}
	}
	return false
}

// paint makes one picture and writes it.
func (w *attending) paint(ctx context.Context, name string, r record, texts pipeline.Texts) error {
	p, err := w.pipe.Paint(ctx, r.Request, texts, w.watch)
	if err != nil {
		return err
	}
	steps, err := w.model.Steps(r.Request)
	if err != nil {
		return err
	}
	data, err := w.encode(r, p)
	if err != nil {
		return err
	}
	file := name + ".png"
	if err := w.keep(file, func(path string) error { return picture.Write(path, data) }); err != nil {
		return err
	}
	return w.report.Add(attention.Painted{Name: name, Picture: file, Image: p.Image, Steps: steps, Seen: p.Attention})
}

// keepFigure writes a figure into the folder and prints its path.
func (w *attending) keepFigure(file string, img image.Image) error {
	data, err := picture.Encode(img)
	if err != nil {
		return err
	}
	return w.keep(file, func(path string) error { return picture.Write(path, data) })
}

func (w *attending) keep(file string, write func(path string) error) error {
	path := filepath.Join(w.options.out, file)
	if err := write(path); err != nil {
		return err
	}
	w.progress.clear()
	_, err := fmt.Fprintln(w.app.stdout, path)
	return err
}

// keepAll writes numbers and figures.
func (w *attending) keepAll() error {
	curves, err := w.report.Curves(w.chosen)
	if err != nil {
		return err
	}
	words, err := w.report.Maps(w.chosen)
	if err != nil {
		return err
	}
	numbers, err := w.report.JSON()
	if err != nil {
		return err
	}
	var maps []trace.Named
	w.report.EachMap(func(name string, values []float64) {
		m := trace.Named{Name: name, Rows: w.report.Grid.Height, Cols: w.report.Grid.Width}
		for _, v := range values {
			m.Values = append(m.Values, float32(v))
		}
		maps = append(maps, m)
	})
	return errors.Join(
		w.keep(attentionNumbers, func(path string) error { return atomicfile.WriteBytes(path, numbers) }),
		w.keep(attentionMaps, func(path string) error { return trace.Write(path, maps) }),
		w.keepFigure(attentionCurves, curves), w.keepFigure(attentionWords, words))
}

// summary tells the least one wants to know.
func (w *attending) summary() {
	if shares := w.report.EarlyShares(); len(shares) == 2 {
		w.app.say("taca: while gamma acts, visual tokens spend %.1f %% of their attention on text; without it %.1f %%", 100*shares[1], 100*shares[0])
	}
}
