package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"taca/internal/atomicfile"
	"taca/internal/checker"
	"taca/internal/demo"
	"taca/internal/minibench"
	"taca/internal/picture"
	"taca/internal/sweep"
)

// miniOptions are the flags that belong to bench mini alone.
type miniOptions struct {
	axes
	config, out string
	perCategory int
	first       int64 // seed
	json, quiet bool
}

// What lies in bench mini's folder beside a sweep's.
const (
	miniScores = "scores.json"
	miniPlot   = "scores.png"
)

// miniGammas is what bench mini compares unless it is told.
const miniGammas = "1,1.2"

// The metrics of a cell that bench mini has judged.
const (
	rightMetric   = "right"
	objectsMetric = "objects"
)

func newBenchMiniCommand(a *app) *cobra.Command {
	var opts miniOptions
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "mini",
		Short: "measure how often the embedded model does what prompts ask, and what settings change",
		Long: `mini paints prompts of four categories (color, shape, texture, spatial) with each
of the settings, from the same noise, and lets a checker embedded in the program
count what is right: pictures with every object as asked and in its place, and
objects that are there. It prints a table with 95 % intervals, and what each
setting changes against the first, picture by picture.

The checker judges pictures of the embedded model's world alone: spheres, cubes,
cylinders and cones of eight colours and four materials. --model is for models
trained on that world. What the checker is worth on true renders stands beside
every score.

The folder holds the pictures in cells, results.jsonl, ` + miniScores + ` and ` + miniPlot + `.
A run that was interrupted goes on when the same command is given again.`,
		Example: `  taca bench mini
  taca bench mini --gamma 1,1.1,1.2,1.4 --prompts 512 --out night
  taca bench mini --gamma 1.2 --taca-lora off,demo --json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runBenchMini(c, a, settings, opts) },
	}
	fl := c.Flags()
	opts.axes.registerGamma(c, miniGammas)
	opts.axes.registerSampling(c)
	fl.IntVarP(&opts.perCategory, "prompts", "n", 64, fmt.Sprintf("`N` prompts of each category, at most %d", minibench.MostPrompts))
	fl.Int64VarP(&opts.first, "seed", "s", 0, "`number` of the first prompt's noise; each next has one more")
	settings.shape(c)
	settings.lora(c)
	settings.model(c)
	settings.size(c)
	settings.reading(c)
	settings.cache(c)
	settings.conditioning(c)
	fl.StringVar(&opts.config, "config", "", "YAML file of settings; keys are the names of generate's flags with underscores")
	fl.StringVarP(&opts.out, "out", "o", "taca-bench-mini", "`folder` that is written, or gone on with")
	fl.BoolVar(&opts.json, "json", false, "print the scores as JSON")
	fl.BoolVar(&opts.quiet, "quiet", false, "no progress and no remarks")
	fl.SortFlags = false
	return c
}

// runBenchMini does the work of taca bench mini.
func runBenchMini(c *cobra.Command, a *app, flags *settingFlags, opts miniOptions) (err error) {
	a.hush(opts.quiet)
	s, err := flags.resolve(c, sources{config: opts.config})
	if err != nil {
		return err
	}
	questions, err := minibench.Questions(opts.perCategory)
	if err != nil {
		return usagef("--prompts: %w", err)
	}
	opts.axes.seed, opts.axes.apart = strconv.FormatInt(opts.first, 10), true
	if opts.axes.gamma == "" && opts.config == "" && !strings.Contains(s.GammaShape, "=") { // points say gamma themselves
		opts.axes.gamma = miniGammas
	}
	m := &measuring{sweeping: &sweeping{generation: &generation{app: a, settings: s, started: time.Now()}, shard: sweep.Shard{Count: 1}}, questions: questions}
	if err := m.layOut(c.Context(), opts.axes, m.prompts()); err != nil {
		return err
	}
	defer m.close()
	if w, h := m.grid.Width, m.grid.Height; !checker.Looks(w, h) {
		return usagef("pictures of %d×%d: the checker looks at squares of 128 pixels, and of multiples of it", w, h)
	}
	there, err := sweep.Look(opts.out, &m.grid, m.shard)
	if err != nil {
		return sweepError(err)
	}
	if err := m.loadFor(c.Context(), there); err != nil {
		return err
	}
	if m.Folder, err = sweep.Open(opts.out, &m.grid, m.shard); err != nil {
		return sweepError(err)
	}
	defer func() { err = errors.Join(err, m.Folder.Close()) }()
	defer m.dismiss()
	m.album = m
	if err := m.paintAll(c.Context()); err != nil {
		return err
	}
	return m.tell(opts)
}

// measuring is one run of taca bench mini. It is the album of its own pictures,
// and judges what it keeps.
type measuring struct {
	*sweeping
	*sweep.Folder
	questions []minibench.Question // the prompts of the grid
	judge     *checker.Detector    // once there is something to judge
}

// prompts are the questions as a grid has them.
func (m *measuring) prompts() []sweep.Prompt {
	var all []sweep.Prompt
	for _, q := range m.questions {
		all = append(all, sweep.Prompt{Text: q.Text, Columns: map[string]string{"category": q.Category}})
	}
	return all
}

// Keep judges a picture and keeps it with the verdict.
func (m *measuring) Keep(c sweep.Cell, p sweep.Painted) error {
	var err error
	if p.Metrics, err = m.verdict(c, p.Picture); err != nil {
		return err
	}
	return m.Folder.Keep(c, p)
}

// verdict is what the checker says of a cell's picture.
func (m *measuring) verdict(c sweep.Cell, data []byte) (map[string]float64, error) {
	if err := m.hire(); err != nil {
		return nil, err
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w: remove it, and give the same command again", m.CellPath(c), err)
	}
	rgba := image.NewNRGBA(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(rgba, rgba.Bounds(), img, img.Bounds().Min, draw.Src)
	found, err := m.judge.Detect(rgba)
	if err != nil {
		return nil, fmt.Errorf("judge %s: %w", m.CellPath(c), err)
	}
	q, right := m.questions[c.Prompt], 0.0
	if q.Verify(found) {
		right = 1
	}
	return map[string]float64{rightMetric: right, objectsMetric: q.Share(found)}, nil
}

// hire opens the checker where it is not there yet.
func (m *measuring) hire() error {
	if m.judge != nil {
		return nil
	}
	weights, err := demo.Checker()
	if err != nil {
		return err
	}
	m.judge, err = checker.Open(weights, m.backend)
	return err
}

func (m *measuring) dismiss() {
	if m.judge != nil {
		m.judge.Close()
	}
}

// tell writes and prints the scores.
func (m *measuring) tell(opts miniOptions) error {
	if err := m.hire(); err != nil {
		return err
	}
	if err := m.Measure(m.verdict); err != nil {
		return err
	}
	r := m.scores(opts)
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	plot, err := r.Plot()
	if err != nil {
		return err
	}
	drawn, err := picture.Encode(plot)
	if err != nil {
		return err
	}
	scores, plotted := filepath.Join(opts.out, miniScores), filepath.Join(opts.out, miniPlot)
	if err := errors.Join(atomicfile.WriteBytes(scores, append(data, '\n')), atomicfile.WriteBytes(plotted, drawn)); err != nil {
		return err
	}
	m.bar.clear()
	m.app.say("taca: the pictures are in %s, the plot is %s", filepath.Join(opts.out, "cells"), plotted)
	if opts.json {
		return json.NewEncoder(m.app.stdout).Encode(r)
	}
	return r.Print(m.app.stdout)
}

// scores puts the verdicts together.
func (m *measuring) scores(opts miniOptions) *minibench.Report {
	cells := m.grid.Cells()
	settings := len(cells) / len(m.questions)
	r := &minibench.Report{Program: m.grid.Program, Model: m.grid.Model, Prompts: opts.perCategory, Seed: opts.first, Shared: m.grid.Shared()}
	for _, c := range cells[:settings] {
		r.Settings = append(r.Settings, strings.TrimPrefix(m.grid.Label(c)+", γ "+c.Gamma, ", "))
	}
	answers := map[string][]minibench.Answers{}
	for _, category := range minibench.Categories {
		answers[category] = make([]minibench.Answers, settings)
	}
	for _, c := range cells {
		a, found := &answers[m.questions[c.Prompt].Category][c.Index%settings], m.Metrics(c)
		a.Right, a.Objects = append(a.Right, found[rightMetric]), append(a.Objects, found[objectsMetric])
	}
	r.Add(answers, func(category string) (checker.Worth, bool) { return m.judge.Worth(category, m.grid.Width) })
	return r
}
