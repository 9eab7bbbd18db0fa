package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/atomicfile"
	"taca/internal/picture"
	"taca/internal/pipeline"
	"taca/internal/ram"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// generateOptions are the flags that belong to generate alone.
type generateOptions struct {
	config, from          string
	latentsIn, latentsOut string
	trace                 string
	printSchedule         bool
	json, quiet           bool
	sized                 bool        // by flags: latents from a file do not decide
	original              *original   // to start from, or nil
	asked                 image.Point // size that flags, --config and --from say; 0: none of them
}

func newGenerateCommand(a *app) *cobra.Command {
	var opts generateOptions
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "generate --prompt TEXT",
		Short: "paint a picture from a prompt",
		Long: `generate paints a picture from a prompt and prints the path of its PNG file.

Settings are laid over each other: the model's preset, the picture given by
--from, the file given by --config, then the flags. The PNG remembers them all.

--image starts from a picture, turned as the camera says, with white behind what
is transparent. It keeps its size, but for multiples of 16 and no more pixels
than the model's own; with --width and --height it is scaled until it covers
them, and the middle is cropped. --strength says how much noise goes over it, and
so which share of the steps runs: the last ones. Gamma keeps to the whole
schedule: steps that are left out count, and with little strength none that gamma
acts in is left. Of a picture with --mask only what is white is painted anew; the
rest goes through the model's VAE, and otherwise stays.`,
		Example: `  taca generate -p "a red metal sphere to the left of a blue cube"
  taca generate -m flux-dev -p "a fox in the snow" --gamma 1.2 --gamma-steps 3 -o fox.png
  taca generate --from fox.png --seed 8 -o fox8.png
  taca generate -p "a fox in the snow, oil on canvas" --image photo.jpg --strength 0.7 -o painted.png
  taca generate -p "a red scarf" --image fox.png --mask neck.png -o scarf.png
  echo "a green cone" | taca generate -p - -n 4 -o 'cone-{seed}.png'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			opts.sized = c.Flags().Changed("width") || c.Flags().Changed("height")
			return runGenerate(c, a, settings, opts)
		},
	}
	settings.text(c)
	settings.model(c)
	settings.picture(c)
	settings.taca(c)
	settings.original(c)
	settings.cache(c)
	settings.conditioning(c)
	fl := c.Flags()
	fl.StringVar(&opts.config, "config", "", "YAML file of settings; keys are the flags' names with underscores")
	fl.StringVar(&opts.from, "from", "", "repeat a picture made by taca; other flags override what it says")
	fl.StringVar(&opts.latentsIn, "latents-in", "", "safetensors file whose tensor latents [1, 16, h, w] replaces the noise, also that over --image")
	fl.StringVar(&opts.latentsOut, "latents-out", "", "write the final latents [1, 16, h, w], F32, to this safetensors file")
	fl.StringVar(&opts.trace, "trace", "", "write every block's output of every step to this folder")
	fl.BoolVar(&opts.printSchedule, "print-schedule", false, "print the noise level and gamma of every step, and paint nothing; no prompt and no weights are needed")
	fl.BoolVar(&opts.json, "json", false, "print one JSON object per picture instead of its path")
	fl.BoolVar(&opts.quiet, "quiet", false, "no progress and no remarks")
	fl.SortFlags = false
	return c
}

// runGenerate does the work of taca generate.
func runGenerate(c *cobra.Command, a *app, flags *settingFlags, opts generateOptions) error {
	a.hush(opts.quiet)
	s, err := flags.read(c, a, &opts)
	if err != nil {
		return err
	}
	job := &generation{app: a, opts: opts, settings: s, started: time.Now()}
	if opts.printSchedule {
		return job.printSchedule()
	}
	if err := checkOutput(s, opts); err != nil {
		return err
	}
	if err := job.open(c.Context()); err != nil {
		return err
	}
	defer job.close()
	return job.paintAll(c.Context())
}

// read resolves the settings of one run, the prompt included.
func (f *settingFlags) read(c *cobra.Command, a *app, opts *generateOptions) (configs.Settings, error) {
	from := sources{config: opts.config}
	if opts.from != "" {
		var err error
		if from.record, err = readRecord(opts.from); err != nil {
			return configs.Settings{}, err
		}
		if opts.latentsIn == "" {
			opts.latentsIn = from.record.Start
		}
	}
	s, err := f.resolve(c, from)
	if err != nil {
		return s, err
	}
	opts.asked = f.sized
	if opts.original, err = a.readOriginal(c, &s, from.record); err != nil {
		return s, err
	}
	if s.Prompt == "-" {
		const most = 1 << 20 // bytes; far beyond what any encoder reads
		text, err := a.read(c.Context(), most+1)
		if err != nil {
			return s, fmt.Errorf("read the prompt from standard input: %w", err)
		}
		if len(text) > most {
			return s, usagef("the prompt on standard input is longer than %d bytes", most)
		}
		s.Prompt = strings.TrimRight(string(text), "\r\n")
	} else if s.Prompt == "" && !c.Flags().Changed("prompt") && from.record == nil && !opts.printSchedule {
		return s, usagef("no prompt: say what to paint with --prompt TEXT, or --prompt - to read it from standard input")
	}
	if s.Seed < 0 {
		s.Seed = rand.Int64N(1 << 32) // what torch's generator tells apart
	}
	switch {
	case s.Count < 1 || s.Seed > math.MaxInt64-int64(s.Count):
		return s, usagef("count %d from seed %d: must be at least 1, and seeds end at %d", s.Count, s.Seed, int64(math.MaxInt64))
	case s.Threads < 0:
		return s, usagef("threads %d: must be at least 1, or 0 for all processors", s.Threads)
	}
	if s.Output == "" {
		s.Output = "taca-{seed}.png"
	}
	return s, nil
}

// printSchedule tells the steps of the run that would be.
func (g *generation) printSchedule() error {
	folder, err := g.app.find(g.settings, true)
	m, err := readModelIn(g.settings.Weights, folder, err)
	if err != nil {
		return err
	}
	r, err := g.request(m)
	if err != nil {
		return err
	}
	return printSchedule(g.app, m, r, g.opts.json)
}

// generation is one run of taca generate.
type generation struct {
	app      *app
	opts     generateOptions
	settings configs.Settings
	recorded bool // attention is
	planned  bool // nothing will be painted, so weights need not be there
	started  time.Time
	model    *pipeline.Model
	loras    []pipeline.LoRA
	dtype    tensor.DType
	backend  tensor.Backend
	pipe     *pipeline.Pipeline
	trace    *traceWriter
	record   record
	progress *progress
	times    timings
	cached   bool // the prompts were found encoded
}

// paintAll makes the pictures one after the other; the prompt is read once.
func (g *generation) paintAll(ctx context.Context) error {
	texts, err := g.pipe.Read(ctx, g.record.Request, g.watch)
	if err != nil {
		return err
	}
	g.cached = texts.Cached
	g.warn(texts)
	if _, cfg := g.pipe.Scales(g.record.Request); g.record.Negative != "" && cfg == 1 {
		g.app.say("taca: the negative prompt does nothing without classifier-free guidance: --guidance (SD3.5) or --true-cfg (FLUX) above 1")
	}
	for i := range g.settings.Count {
		r := g.record
		r.Seed += int64(i)
		g.progress.picture(i, g.settings.Count)
		p, err := g.pipe.Paint(ctx, r.Request, texts, g.watch)
		if err != nil {
			return err
		}
		if err := g.keep(r, p, i); err != nil {
			return err
		}
	}
	if g.trace != nil {
		return g.trace.err
	}
	return nil
}

// keep writes a finished picture and prints where it is.
func (g *generation) keep(r record, p *pipeline.Picture, i int) error {
	g.progress.clear()
	if r.Cache > 0 {
		r.Reuse = &p.Reuse
		g.app.say("taca: %s", reuseRemark(p.Reuse, r.Steps))
	}
	data, err := g.encode(r, p)
	if err != nil {
		return err
	}
	if g.opts.latentsOut != "" {
		if err := writeLatents(fillIn(g.opts.latentsOut, r.Seed, i, g.settings.Count), p); err != nil {
			return err
		}
	}
	if g.settings.Output == "-" {
		_, err := g.app.stdout.Write(data)
		return err
	}
	path := fillIn(g.settings.Output, r.Seed, i, g.settings.Count)
	if err := picture.Write(path, data); err != nil {
		return err
	}
	if !g.opts.json {
		_, err = fmt.Fprintln(g.app.stdout, path)
		return err
	}
	return g.report(path, r)
}

// encode is the PNG of a picture that was made of r, which it remembers.
func (g *generation) encode(r record, p *pipeline.Picture) ([]byte, error) {
	remarks, err := r.remarks(g.pipe.Scales(r.Request))
	if err != nil {
		return nil, err
	}
	return picture.Encode(p.Image, remarks...)
}

// report prints a picture's JSON line.
func (g *generation) report(path string, r record) error {
	line, err := json.Marshal(struct {
		Path string `json:"path"`
		record
		Cached  bool    `json:"conditioning_cached"` // in no picture: it would differ in its bytes from one made without
		Seconds timings `json:"seconds"`
		Peak    int     `json:"peak_resident_bytes,omitempty"` // of the process, so far
	}{path, r, g.cached, g.times.since(g.started), ram.Peak()})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(g.app.stdout, string(line))
	return err
}

// warn says aloud what an encoder did not read, and what the next run will have
// to read again.
func (g *generation) warn(texts pipeline.Texts) {
	for _, c := range texts.Cuts {
		g.app.say("taca: %s", cutRemark(c.Encoder, c.Length, c.Text))
	}
	if texts.Unkept != nil {
		g.app.say("taca: the encoded prompt is not kept for later runs: %v, or --conditioning-cache off", texts.Unkept)
	}
}

// reuseRemark tells what --cache did.
func reuseRemark(r sampler.Reuse, steps int) string {
	return fmt.Sprintf("%d of %d steps left out all blocks but the first; the latents are off by about %.1f %%", r.Steps, steps, 100*r.Error)
}

// cutRemark tells the text an encoder of that many tokens left out.
func cutRemark(encoder string, length int, text string) string {
	const most = 400 // characters
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return fmt.Sprintf("%s reads %d tokens; it did not read %q", encoder, length, text)
}

// checkOutput finds out before the work whether its result can be kept.
func checkOutput(s configs.Settings, opts generateOptions) error {
	if s.Output == "-" {
		if opts.json || s.Count > 1 {
			return usagef("--output - gives one bare PNG: leave out --json and --count")
		}
	} else if err := atomicfile.Writable(fillIn(s.Output, s.Seed, 0, s.Count)); err != nil {
		return err
	}
	switch {
	case opts.trace != "" && s.Count > 1:
		return usagef("--trace records one picture: leave out --count")
	case opts.latentsIn != "" && s.Count > 1:
		return usagef("--latents-in starts one picture: leave out --count")
	case opts.latentsOut != "" && filepath.Clean(opts.latentsOut) == filepath.Clean(s.Output):
		return usagef("--output and --latents-out are both %s", s.Output)
	case opts.latentsOut != "":
		return atomicfile.Writable(fillIn(opts.latentsOut, s.Seed, 0, s.Count))
	}
	return nil
}

// fillIn names the i-th of count files: {seed} and {index} in the pattern, or
// -INDEX before the extension where several pictures would share a name.
func fillIn(pattern string, seed int64, i, count int) string {
	name := strings.NewReplacer("{seed}", fmt.Sprint(seed), "{index}", fmt.Sprint(i)).Replace(pattern)
	if count == 1 || name != pattern {
		return name
	}
	ext := filepath.Ext(name)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i, ext)
}

func (g *generation) close() {
	g.progress.close()
	var unmapped error
	if g.pipe != nil {
		unmapped = g.pipe.Close()
	}
	if err := errors.Join(unmapped, g.backend.Close()); err != nil {
		g.app.say("taca: %v", err)
	}
}
