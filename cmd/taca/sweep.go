package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/sweep"
)

// sweepOptions are the flags that belong to sweep alone.
type sweepOptions struct {
	axes
	config, out, shard string
	dryRun, quiet      bool
}

func newSweepCommand(a *app) *cobra.Command {
	var opts sweepOptions
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "sweep --gamma VALUES --prompt TEXT",
		Short: "paint a grid of pictures, and a report that compares them",
		Long: `sweep paints every combination of the values that its flags list, and writes a
folder: a PNG for each cell, results.jsonl, a contact sheet for each prompt, and
report.html, a page that needs nothing else.

VALUES are lists such as 1,1.2,1.4, ranges FIRST:LAST:STEP such as 1:1.6:0.2, or
both. A sweep that was interrupted goes on where it stopped when the same command
is given again. Where a Slurm array or a Kubernetes indexed job starts it, each
task paints its part; taca sweep report brings the parts together.`,
		Example: `  taca sweep --gamma 1:1.6:0.2 -p "a red metal sphere to the left of a blue cube"
  taca sweep --gamma 1,1.2 --seed 0:9 --prompts prompts.csv -m flux-dev --out night --dry-run
  taca sweep --gamma 1.2 --taca-lora off,taca_r64.safetensors -p "a fox" --out lora
  taca sweep report night`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runSweep(c, a, settings, opts) },
	}
	fl := c.Flags()
	opts.axes.register(c)
	settings.shape(c)
	settings.negative(c)
	settings.lora(c)
	settings.model(c)
	settings.size(c)
	settings.reading(c)
	settings.cache(c)
	settings.conditioning(c)
	fl.StringVar(&opts.config, "config", "", "YAML file of settings; keys are the names of generate's flags with underscores")
	fl.StringVarP(&opts.out, "out", "o", "taca-sweep", "`folder` that is written, or gone on with")
	fl.StringVar(&opts.shard, "shard", "", "`i/n`: paint the i-th of n parts, from 0, into OUT/shard-i-of-n (default: what SLURM_ARRAY_TASK_ID, or JOB_COMPLETION_INDEX with "+sweep.CountVariable+", says; 0/1 is all)")
	fl.BoolVar(&opts.dryRun, "dry-run", false, "list the cells and how long they would take; write nothing, and do without weights")
	fl.BoolVar(&opts.quiet, "quiet", false, "no progress and no remarks")
	fl.SortFlags = false
	c.AddCommand(newSweepReportCommand(a))
	return c
}

// runSweep does the work of taca sweep.
func runSweep(c *cobra.Command, a *app, flags *settingFlags, opts sweepOptions) (err error) {
	a.hush(opts.quiet)
	s, err := flags.resolve(c, sources{config: opts.config})
	if err != nil {
		return err
	}
	if s.Image != "" {
		return usagef("image %s: a sweep starts from noise: leave it out of %s", s.Image, opts.config)
	}
	shard, err := chooseShard(a, opts.shard)
	if err != nil {
		return err
	}
	w := &sweeping{generation: &generation{app: a, settings: s, planned: opts.dryRun, started: time.Now()}, shard: shard, listed: a.stdout}
	prompts, err := w.prompts(c.Context(), opts.axes)
	if err != nil {
		return err
	}
	if err := w.layOut(c.Context(), opts.axes, prompts); err != nil {
		return err
	}
	defer w.close()
	if opts.dryRun {
		return w.foretell(c.Context(), opts.out)
	}
	there, err := sweep.Look(opts.out, &w.grid, shard)
	if err != nil {
		return sweepError(err)
	}
	if err := w.loadFor(c.Context(), there); err != nil {
		return err
	}
	folder, err := sweep.Open(opts.out, &w.grid, shard)
	if err != nil {
		return sweepError(err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	w.album = folder
	if err := w.paintAll(c.Context()); err != nil {
		return err
	}
	if shard.Whole() {
		return writeReport(a, folder)
	}
	a.say("taca: this was part %d/%d: taca sweep report brings all parts together", shard.Index, shard.Count)
	_, err = fmt.Fprintln(a.stdout, folder.Path)
	return err
}

// chooseShard is the part that --shard names, or else what started the program.
func chooseShard(a *app, flag string) (sweep.Shard, error) {
	if flag != "" {
		s, err := sweep.ParseShard(flag)
		if err != nil {
			return s, usageError{err}
		}
		return s, nil
	}
	s, from, err := sweep.ShardFrom(os.Getenv)
	if err != nil {
		return s, usageError{err}
	}
	if from != "" {
		a.say("taca: %s says that this is part %d/%d", from, s.Index, s.Count)
	}
	return s, nil
}

// sweepError tells folders that do not suit from those that cannot be written.
func sweepError(err error) error {
	var refused *sweep.Refused
	if errors.As(err, &refused) {
		return usageError{err}
	}
	return err
}

func newSweepReportCommand(a *app) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "report DIR...",
		Short: "bring the parts of a sweep together, and write its report",
		Long: `report brings the cells of all parts of a sweep into one folder and writes what a
sweep in one piece would have written there: results.jsonl, contact sheets and
report.html. DIR is a sweep's folder, one with parts in it, or a part.`,
		Example: `  taca sweep report night
  taca sweep report host1/night host2/night --out night`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if out == "" {
				if len(args) > 1 {
					return usagef("--out is missing: give the folder for the cells of all %d", len(args))
				}
				out = args[0]
			}
			return runSweepReport(a, args, out)
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "`folder` of the whole (default: DIR, where there is one)")
	return c
}

// runSweepReport does the work of taca sweep report.
func runSweepReport(a *app, paths []string, out string) (err error) {
	parts, err := sweep.Parts(paths)
	if err != nil {
		return sweepError(err)
	}
	for _, p := range parts {
		if !p.Shard.Whole() && filepath.Clean(out) == p.Path {
			return usagef("%s is part %d/%d of a sweep: give the folder of the whole with --out", out, p.Shard.Index, p.Shard.Count)
		}
	}
	folder, err := sweep.Merge(out, parts)
	if err != nil {
		return sweepError(err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if n := folder.Missing(); n > 0 {
		a.say("taca: %d of %d cells are not painted: run the parts again that are not done", n, folder.Grid.Size())
	}
	return writeReport(a, folder)
}

// writeReport writes the report, and prints what was written.
func writeReport(a *app, folder *sweep.Folder) error {
	written, err := folder.Report()
	if err != nil {
		return err
	}
	for _, path := range written {
		if _, err := fmt.Fprintln(a.stdout, path); err != nil {
			return err
		}
	}
	return nil
}

// withCell is the settings of one cell.
func (w *sweeping) withCell(c sweep.Cell) configs.Settings {
	s, p := w.settings, w.grid.Prompts[c.Prompt]
	s.Prompt, s.Negative, s.Seed, s.Steps = p.Text, p.Negative, c.Seed, c.Steps
	s.Guidance, s.Gamma = number(c.Guidance), number(c.Gamma)
	s.GammaN, s.GammaT = w.whens[c.When].GammaN, w.whens[c.When].GammaT
	return s
}
