package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/compbench"
	"taca/internal/sweep"
)

// compOptions are the flags that belong to bench compbench alone.
type compOptions struct {
	config, prompts, out, shard string
	categories                  []string
	perPrompt                   int
	first                       int64 // seed
	quiet                       bool
}

func newBenchCompBenchCommand(a *app) *cobra.Command {
	var opts compOptions
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "compbench --prompts DIR --out DIR",
		Short: "paint the prompts of T2I-CompBench, laid out as its evaluators read them",
		Long: `compbench paints the prompts of T2I-CompBench, ten pictures of each, as its
official evaluators read them: the n-th picture of a category, from 0, is
OUT/CATEGORY/samples/PROMPT_n.png, n with six digits. scripts/compbench runs the
evaluators on that folder; they need an NVIDIA card and their own weights.

The k-th picture of every prompt begins with noise --seed + k, 42 and on as in
the benchmark's own script. A run that was interrupted goes on when the same
command is given again. Where a Slurm array or a Kubernetes indexed job starts
it, each task paints its part into the same folder.`,
		Example: `  taca bench compbench --prompts T2I-CompBench/examples/dataset --out plain -m flux-dev --gamma 1
  taca bench compbench --prompts T2I-CompBench/examples/dataset --out taca -m flux-dev --gamma 1.2
  scripts/compbench T2I-CompBench plain`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return runBenchCompBench(c, a, settings, opts) },
	}
	fl := c.Flags()
	fl.StringVar(&opts.prompts, "prompts", "", "`folder` of the benchmark's prompts, with color_val.txt and others: examples/dataset")
	fl.StringVarP(&opts.out, "out", "o", "", "`folder` that is written, or gone on with")
	fl.StringSliceVar(&opts.categories, "categories", nil, "`names`, such as color,shape (default: every *_val.txt there is)")
	fl.IntVar(&opts.perPrompt, "per-prompt", 10, "`N` pictures of each prompt; the evaluators of complex prompts want 10")
	fl.Int64VarP(&opts.first, "seed", "s", 42, "`number` of the noise of each prompt's first picture; each next has one more")
	fl.StringVar(&opts.shard, "shard", "", "`i/n`: paint the i-th of n parts, from 0 (default: what SLURM_ARRAY_TASK_ID, or JOB_COMPLETION_INDEX with "+sweep.CountVariable+", says; 0/1 is all)")
	settings.negative(c)
	settings.lora(c)
	settings.tacaLoRA(c)
	settings.model(c)
	settings.picture(c)
	settings.taca(c)
	settings.cache(c)
	settings.conditioning(c)
	fl.StringVar(&opts.config, "config", "", "YAML file of settings; keys are the names of generate's flags with underscores")
	fl.BoolVar(&opts.quiet, "quiet", false, "no progress and no remarks")
	fl.SortFlags = false
	return c
}

// runBenchCompBench does the work of taca bench compbench.
func runBenchCompBench(c *cobra.Command, a *app, flags *settingFlags, opts compOptions) (err error) {
	a.hush(opts.quiet)
	s, err := flags.resolve(c, sources{config: opts.config})
	if err != nil {
		return err
	}
	if err := opts.check(); err != nil {
		return err
	}
	categories, err := compbench.ReadCategories(opts.prompts, opts.categories)
	if err != nil {
		return usagef("--prompts: %w", err)
	}
	shard, err := chooseShard(a, opts.shard)
	if err != nil {
		return err
	}
	w := &sweeping{generation: &generation{app: a, settings: s, started: time.Now()}, shard: shard, listed: a.stdout}
	seeds := axes{seed: fmt.Sprintf("%d:%d", opts.first, opts.first+int64(opts.perPrompt-1))}
	if err := w.layOut(c.Context(), seeds, promptsOf(categories, s)); err != nil {
		return err
	}
	defer w.close()
	there, err := compbench.Look(opts.out, categories, &w.grid)
	if err != nil {
		return sweepError(err)
	}
	if err := w.loadFor(c.Context(), there); err != nil {
		return err
	}
	folder, err := compbench.Open(opts.out, categories, &w.grid, shard)
	if err != nil {
		return sweepError(err)
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	w.album = folder
	return w.paintAll(c.Context())
}

// check finds out what is missing or cannot be.
func (o *compOptions) check() error {
	switch {
	case o.prompts == "":
		return usagef("--prompts is missing: give the benchmark's folder examples/dataset, which has color_val.txt and others")
	case o.out == "":
		return usagef("--out is missing: give the folder for the pictures")
	case o.perPrompt < 1 || o.perPrompt > 1000:
		return usagef("--per-prompt %d: must be 1 to 1000", o.perPrompt)
	case o.first < 0 || o.first > math.MaxInt64-1000:
		return usagef("--seed %s: must be 0 or more, and leave room for the next", strconv.FormatInt(o.first, 10))
	}
	return nil
}

// promptsOf are the prompts of all categories as a grid has them.
func promptsOf(categories []compbench.Category, s configs.Settings) []sweep.Prompt {
	var all []sweep.Prompt
	for _, c := range categories {
		for _, text := range c.Prompts {
			all = append(all, sweep.Prompt{Text: text, Negative: s.Negative, Columns: map[string]string{"category": c.Name}})
		}
	}
	return all
}
