package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/lora"
	"taca/internal/pipeline"
	"taca/internal/sweep"
)

// axes are the flags that take several values.
type axes struct {
	prompts                     []string
	promptFile                  string
	gamma, gammaN, gammaT       string
	seed, steps, guidance, lora string
	apart                       bool // every prompt has its own seeds
}

func (x *axes) register(c *cobra.Command) {
	fl := c.Flags()
	x.registerGamma(c, "1.2")
	fl.StringArrayVarP(&x.prompts, "prompt", "p", nil, "`text`: what to paint; repeatable")
	fl.StringVar(&x.promptFile, "prompts", "", "`file` of prompts, one a line, or .csv, .tsv or .jsonl with a column prompt, and maybe negative_prompt and name; - reads lines from standard input")
	fl.StringVarP(&x.seed, "seed", "s", "", "`values` of the seed (default 0)")
	x.registerSampling(c)
}

// registerGamma registers what gamma is, and when it acts.
func (x *axes) registerGamma(c *cobra.Command, usual string) {
	fl := c.Flags()
	fl.StringVar(&x.gamma, "gamma", "", "`values` of gamma (default "+usual+")")
	fl.StringVar(&x.gammaN, "gamma-steps", "", "gamma acts in the first N steps; `values` of N")
	fl.StringVar(&x.gammaT, "gamma-threshold", "", "gamma acts at timesteps of at least T; `values` of T, beside those of --gamma-steps (default 970)")
}

// registerSampling registers the other axes that no prompt has its own values of.
func (x *axes) registerSampling(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&x.steps, "steps", "", "`values` of the number of denoising steps (default: the model's own)")
	fl.StringVar(&x.guidance, "guidance", "", "`values` of guidance (default: the model's own)")
	fl.StringVar(&x.lora, "taca-lora", "", "`off,FILE[:SCALE],...`: an adapter active exactly in the steps where gamma is not 1, or none; demo is the embedded model's own")
}

// mostCells is how many cells a sweep may have: more is a slip of the keyboard.
const mostCells = 100000

// album is a folder that keeps the pictures of cells.
type album interface {
	Has(c sweep.Cell) bool
	CellPath(c sweep.Cell) string
	Keep(c sweep.Cell, p sweep.Painted) error
}

// sweeping paints the cells of a grid that are not there.
type sweeping struct {
	*generation
	grid   sweep.Grid
	shard  sweep.Shard
	album  album
	listed io.Writer                   // paths of cells that are painted
	whens  map[string]configs.Settings // what each value of the axis means
	cells  []sweep.Cell                // of the shard
	plans  map[string]pipeline.Plan    // of each kind of cell
	bar    *sweepBar
	silent silent
	failed []error
}

// layOut opens the model's configuration and the device, and makes the grid.
func (w *sweeping) layOut(ctx context.Context, x axes, prompts []sweep.Prompt) error {
	states := w.adapterStates(x.lora)
	w.settings.Prompt, w.settings.Negative = prompts[0].Text, prompts[0].Negative
	if err := w.prepare(); err != nil {
		return err
	}
	if err := w.fill(x, prompts, states); err != nil {
		return w.giveUp(err)
	}
	for _, c := range w.grid.Cells() {
		if err := w.model.Check(request(w.withCell(c), w.model.Defaults())); err != nil {
			return w.giveUp(fmt.Errorf("cell %s: %w", w.grid.File(c), err))
		}
	}
	var err error
	if w.plans, err = w.plan(ctx); err != nil {
		return w.giveUp(err)
	}
	w.cells = w.shard.Of(w.grid.Cells(), w.work)
	w.bar = &sweepBar{app: w.app, work: w.work}
	return nil
}

func (w *sweeping) giveUp(err error) error {
	w.close()
	return err
}

// prompts are those of the flags, or of the settings.
func (w *sweeping) prompts(ctx context.Context, x axes) ([]sweep.Prompt, error) {
	var prompts []sweep.Prompt
	for _, text := range x.prompts {
		prompts = append(prompts, sweep.Prompt{Text: text})
	}
	if x.promptFile != "" {
		content, err := w.promptFile(ctx, x.promptFile)
		if err != nil {
			return nil, usagef("read --prompts %s: %w", x.promptFile, cause(err))
		}
		read, err := sweep.ReadPrompts(x.promptFile, content)
		if err != nil {
			return nil, usagef("read --prompts %s: %w", x.promptFile, err)
		}
		prompts = append(prompts, read...)
	}
	if len(prompts) == 0 && w.settings.Prompt != "" {
		prompts = append(prompts, sweep.Prompt{Text: w.settings.Prompt})
	}
	if len(prompts) == 0 {
		return nil, usagef("no prompt: say what to paint with --prompt TEXT, or --prompts FILE")
	}
	for i := range prompts {
		if prompts[i].Negative == "" {
			prompts[i].Negative = w.settings.Negative
		}
	}
	return prompts, nil
}

func (w *sweeping) promptFile(ctx context.Context, path string) ([]byte, error) {
	const most = 64 << 20
	if path == "-" {
		return w.app.read(ctx, most)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, most))
}

// adapterStates gives the files of --taca-lora to the settings, and returns the
// axis; without the flag what other settings say is always there.
func (w *sweeping) adapterStates(flag string) []string {
	if flag == "" {
		return nil
	}
	w.settings.TACALoRA = nil
	states := strings.Split(flag, ",")
	for _, s := range states {
		if s != sweep.Off {
			w.settings.TACALoRA = append(w.settings.TACALoRA, s)
		}
	}
	return states
}

// fill makes the grid; the settings say what no flag does.
func (w *sweeping) fill(x axes, prompts []sweep.Prompt, states []string) error {
	r := w.record
	g := sweep.Grid{Prompts: prompts, Apart: x.apart, Common: sweep.Common{
		Program: r.Program, Model: strings.TrimSpace(r.Model + partsText(r.Parts)), Class: r.Class, Width: r.Width, Height: r.Height, TrueCFG: r.TrueCFG, MaxLength: r.MaxLength,
		Shape: r.TACA.Shape, Blocks: w.settings.GammaBlocks, Cache: r.Cache, DType: r.DType, Weights: r.Weights,
	}}
	var err error
	read := func(flag, text, otherwise string) (values []string) {
		if text == "" {
			text = otherwise
		}
		if values, err = keep(err, sweep.Decimals, flag, text); len(values) == 0 {
			values = []string{otherwise}
		}
		return values
	}
	g.Gammas = read("--gamma", x.gamma, plain(r.TACA.Gamma))
	g.Guidance = read("--guidance", x.guidance, plain(r.Guidance))
	for _, n := range read("--steps", x.steps, strconv.Itoa(r.Steps)) {
		steps, bad := strconv.Atoi(n)
		if bad != nil || steps < 1 {
			return usagef("--steps %s: must be whole numbers from 1", x.steps)
		}
		g.Steps = append(g.Steps, steps)
	}
	seeds := x.seed
	if seeds == "" {
		seeds = strconv.FormatInt(w.settings.Seed, 10)
	}
	if g.Seeds, err = keep(err, sweep.Integers, "--seed", seeds); err == nil && slices.Min(g.Seeds) < 0 {
		return usagef("--seed %s: the seeds of a sweep must be 0 or more, so that it can be gone on with", seeds)
	}
	w.whens = map[string]configs.Settings{}
	g.Whens, err = w.whenAxis(err, x)
	if err != nil {
		return err
	}
	w.adapterAxis(&g, states)
	if g.Digests, err = w.digests(); err != nil {
		return err
	}
	if n := g.Size(); n > mostCells {
		return usagef("the sweep would have %d cells, at most %d are allowed: list fewer values", n, mostCells)
	}
	w.grid = g
	return distinct(states)
}

// keep reads values unless something was wrong before.
func keep[T any](before error, read func(string) ([]T, error), flag, text string) ([]T, error) {
	if before != nil {
		return nil, before
	}
	values, err := read(text)
	if err != nil {
		return nil, usagef("%s %w", flag, err)
	}
	return values, nil
}

// whenAxis is when gamma acts: by steps, by thresholds, or as settings say.
func (w *sweeping) whenAxis(before error, x axes) ([]string, error) {
	var names []string
	add := func(name string, n int, t float32) {
		names = append(names, name)
		w.whens[name] = configs.Settings{GammaN: n, GammaT: t}
	}
	if x.gammaN != "" {
		values, err := keep(before, sweep.Integers, "--gamma-steps", x.gammaN)
		if err != nil {
			return nil, err
		}
		for _, n := range values {
			if n < 0 || n > 1<<20 {
				return nil, usagef("--gamma-steps %d: must be 0 or more", n)
			}
			add(sweep.When(&n, ""), int(n), 0)
		}
	}
	if x.gammaT != "" {
		values, err := keep(before, sweep.Decimals, "--gamma-threshold", x.gammaT)
		if err != nil {
			return nil, err
		}
		for _, t := range values {
			add(sweep.When(nil, t), -1, number(t))
		}
	}
	n := int64(w.settings.GammaN)
	switch {
	case len(names) > 0:
	case w.record.TACA.Pointed():
		add("", -1, 0)
	case n >= 0:
		add(sweep.When(&n, ""), int(n), 0)
	default:
		add(sweep.When(nil, plain(w.settings.GammaT)), -1, w.settings.GammaT)
	}
	return names, before
}

// digests are those of the adapters; one that nobody has to read yet need not be
// there.
func (w *sweeping) digests() ([]string, error) {
	var sums []string
	for _, l := range w.loras {
		sum, err := lora.Digest(l.Path)
		if err != nil && !w.planned {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, nil
}

// adapterAxis names the adapters as any folder understands them.
func (w *sweeping) adapterAxis(g *sweep.Grid, states []string) {
	following := w.record.LoRAs[len(w.settings.LoRA):]
	for _, l := range w.record.LoRAs[:len(w.settings.LoRA)] {
		g.Common.LoRAs = append(g.Common.LoRAs, describe(l))
	}
	if len(states) == 0 { // as settings say
		for _, l := range following {
			g.Common.LoRAs = append(g.Common.LoRAs, describe(l)+" while gamma acts")
		}
		return
	}
	for _, s := range states {
		if s == sweep.Off {
			g.LoRAs = append(g.LoRAs, s)
			continue
		}
		g.LoRAs = append(g.LoRAs, describe(following[0]))
		following = following[1:]
	}
}

func distinct(states []string) error {
	for i, s := range states {
		if slices.Contains(states[:i], s) {
			return usagef("--taca-lora: %s is there twice", s)
		}
	}
	return nil
}

// adaptersOf is which of the adapters a cell has.
func (w *sweeping) adaptersOf(all []pipeline.LoRA, c sweep.Cell) []pipeline.LoRA {
	if c.LoRA < 0 {
		return all
	}
	own := slices.Clone(all[:len(w.settings.LoRA)])
	at := len(own)
	for i, state := range w.grid.LoRAs {
		if state == sweep.Off {
			continue
		}
		if i == c.LoRA {
			own = append(own, all[at])
		}
		at++
	}
	return own
}

// plain is v as axes write it.
func plain(v float32) string { return strconv.FormatFloat(float64(v), 'f', -1, 32) }

// number reads what an axis wrote.
func number(text string) float32 {
	v, _ := strconv.ParseFloat(text, 32) // the request's check finds what is out of range
	return float32(v)
}
