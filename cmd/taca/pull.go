package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/hub"
	"taca/internal/pipeline"
)

// pullOptions are the flags of taca pull.
type pullOptions struct {
	connections     int
	offline, dryRun bool
	tokenizers      bool
	json, quiet     bool
}

func newPullCommand(a *app) *cobra.Command {
	var opts pullOptions
	c := &cobra.Command{
		Use:   "pull NAME|ORG/NAME|ORG/NAME/FILE",
		Short: "fetch a model's files from the hub",
		Long: `pull fetches what taca reads of a model into the cache that Python's
huggingface_hub keeps, and prints the path of the snapshot, or of the one file
that was asked for. -m NAME and -m ORG/NAME find it there.

NAME is a preset: ` + strings.Join(configs.Names(), ", ") + `.
A revision (branch, tag or commit) stands behind an @, its slashes as %2F.

Only safetensors, configurations and tokenizers are fetched. What was stopped
goes on with the same command; every file's size and hash are checked.

HF_HOME and HF_HUB_CACHE say where the cache is, HF_TOKEN or the file
HF_HOME/token who you are, HF_ENDPOINT which hub is asked, HF_HUB_OFFLINE=1 that
none is.`,
		Example: `  taca pull flux-dev
  taca pull stabilityai/stable-diffusion-3.5-medium --dry-run
  taca generate -p "a fox" -m flux-dev --lora "$(taca pull ORG/NAME/lora.safetensors)"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return runPull(c, a, args[0], opts) },
	}
	fl := c.Flags()
	fl.IntVar(&opts.connections, "connections", 8, "`N` connections at once, 1 to 64, each with 8 MiB of memory")
	fl.BoolVar(&opts.offline, "offline", false, "ask no hub: is all of it in the cache?")
	fl.BoolVar(&opts.dryRun, "dry-run", false, "list the files and their bytes, and fetch nothing")
	fl.BoolVar(&opts.tokenizers, "tokenizers", false, "only the tokenizers, a few MB: what single files lack")
	fl.BoolVar(&opts.json, "json", false, "print one JSON object at the end instead of the path")
	fl.BoolVar(&opts.quiet, "quiet", false, "no progress and no remarks")
	fl.SortFlags = false
	return c
}

// runPull does the work of taca pull.
func runPull(c *cobra.Command, a *app, name string, opts pullOptions) error {
	a.hush(opts.quiet)
	if opts.connections < 1 || opts.connections > 64 {
		return usagef("connections %d: must be between 1 and 64", opts.connections)
	}
	reference, err := hubReference(name)
	if err != nil {
		return usagef("pull %w", err)
	}
	if opts.tokenizers && reference.File != "" {
		return usagef("pull %s: --tokenizers is of a whole pipeline: leave out the file", name)
	}
	config, err := hub.FromEnvironment()
	if err != nil {
		return usageError{err}
	}
	config.Offline = config.Offline || opts.offline
	begun := time.Now()
	bar := &pullBar{app: a}
	defer bar.close()
	p, err := hub.Open(c.Context(), config, reference, hub.Options{
		Connections: opts.connections, Agent: "taca/" + version(), Class: pipeline.CheckClass, Remark: bar.remark, Tokenizers: opts.tokenizers,
	})
	if err != nil {
		return err
	}
	if opts.dryRun {
		return printPull(a, p, opts.json)
	}
	if !config.Offline && p.Missing() > 0 {
		a.say("taca: %s of %s are missing", hub.Text(p.Missing()), hub.Text(p.Bytes()))
	}
	fetched, err := p.Fetch(c.Context(), bar.show)
	bar.close()
	if err != nil {
		return resumable{err}
	}
	return reportPull(a, p, fetched, time.Since(begun), opts.json)
}

// hubReference is what a preset's name or the name of a repository stands for.
func hubReference(name string) (hub.Reference, error) {
	preset, revision, given := strings.Cut(name, "@")
	p, ok, err := configs.Find(preset)
	switch {
	case err != nil:
		return hub.Reference{}, err
	case ok && p.Repository == "":
		return hub.Reference{}, fmt.Errorf("%s: it is part of the program, and here already", preset)
	case ok && given:
		name = p.Repository + "@" + revision
	case ok:
		name = p.Repository
	}
	r, err := hub.ParseReference(name)
	if err != nil && !strings.Contains(name, "/") {
		return r, fmt.Errorf("%w; presets are %s", err, strings.Join(configs.Names(), ", "))
	}
	return r, err
}

// resumable is an error after which the same command goes on.
type resumable struct{ error }

// Unwrap gives the reason.
func (r resumable) Unwrap() error { return r.error }

// printPull tells what a pull would fetch.
func printPull(a *app, p *hub.Pull, asJSON bool) error {
	if asJSON {
		return printJSON(a, struct {
			*hub.Pull
			Bytes   int64 `json:"bytes"`
			Missing int64 `json:"missing_bytes"`
			DryRun  bool  `json:"dry_run"`
		}{p, p.Bytes(), p.Missing(), true})
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "bytes\tmissing\t  file\t")
	for _, f := range p.Files {
		fmt.Fprintf(w, "%d\t%d\t  %s\n", f.Bytes, f.Bytes-f.Here, f.Path)
	}
	fmt.Fprintf(w, "%d\t%d\t  %d files\n", p.Bytes(), p.Missing(), len(p.Files))
	return w.Flush()
}

// reportPull tells where everything is.
func reportPull(a *app, p *hub.Pull, fetched int64, took time.Duration, asJSON bool) error {
	if asJSON {
		return printJSON(a, struct {
			*hub.Pull
			Bytes   int64   `json:"bytes"`
			Fetched int64   `json:"fetched_bytes"`
			Seconds float64 `json:"seconds"`
		}{p, p.Bytes(), fetched, took.Seconds()})
	}
	_, err := fmt.Fprintln(a.stdout, p.Path)
	return err
}

func printJSON(a *app, value any) error {
	line, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, string(line))
	return err
}

// pullBar shows how far a pull is, on terminals only.
type pullBar struct {
	app  *app
	bar  *progressbar.ProgressBar
	here int64 // bytes that need not come: the rate is not theirs
	at   hub.Progress
}

// show brings the bar up to date.
func (b *pullBar) show(p hub.Progress) {
	if !b.app.terminal || b.bar == nil && p.Done >= p.Total {
		return
	}
	if b.bar == nil {
		b.here = p.Done
		b.bar = b.app.byteBar(p.Total-p.Done, describePull(p))
	}
	_ = b.bar.Set64(p.Done - b.here) // a bar that cannot be drawn is no reason to stop
	if p.Files != b.at.Files && p.Files < p.Of {
		b.bar.Describe(describePull(p))
	}
	b.at = p
}

func describePull(p hub.Progress) string {
	return fmt.Sprintf("file %d/%d", min(p.Files+1, p.Of), p.Of)
}

// remark writes a line for people where the bar was.
func (b *pullBar) remark(text string) {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
	b.app.say("taca: %s", text)
}

// close wipes the bar.
func (b *pullBar) close() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}
