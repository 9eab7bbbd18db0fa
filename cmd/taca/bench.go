package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

func newBenchCommand(a *app) *cobra.Command {
	var asJSON bool
	var seconds float64
	settings := newSettingFlags()
	c := &cobra.Command{
		Use:   "bench",
		Short: "measure attention and matrix products at the sizes of FLUX.1 and SD3.5, or a model's step",
		Long: `bench measures the two verbs that a denoising step consists of, at the sizes
they have at 1024×1024 pixels: attention over the joint sequence, with gamma 1
and 1.2, and the linear layers. It prints the median time, the operations a
second, and their share of the peak: of a processor what multiplying out of
registers reaches, measured first, with int8 where --weights is q8 or q4; of a
card what its data sheet says.

With --model it measures that model's transformer instead: one evaluation, with
gamma 1 and 1.2, at the size the picture flags say, and what is computed before
the first: the modulation of all steps of a picture, and its prompt as it enters
the blocks. The folder needs the weights of the transformer alone.

How good pictures are is measured by its subcommands.`,
		Example: `  taca bench --device cuda
  taca bench --device cpu --weights q8 --seconds 5 --json
  taca bench --model flux-dev -W 512 -H 512`,
		Args: arguments(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := settings.resolve(c, sources{})
			if err != nil {
				return err
			}
			if !(seconds >= 0) {
				return usagef("--seconds %g: must not be negative", seconds)
			}
			return runBench(c.Context(), a, s, time.Duration(seconds*float64(time.Second)), asJSON)
		},
	}
	settings.model(c)
	settings.picture(c)
	c.Flags().Float64Var(&seconds, "seconds", 1, "`time` for each line")
	c.Flags().BoolVar(&asJSON, "json", false, "print the figures as JSON")
	c.Flags().SortFlags = false
	c.AddCommand(newBenchMiniCommand(a), newBenchCompBenchCommand(a))
	return c
}

// benchmark is one verb at one size, and what was measured.
type benchmark struct {
	Name   string  `json:"name"`
	FLOPs  float64 `json:"flops"` // of one run
	Runs   int     `json:"runs"`
	Median float64 `json:"median_seconds"`
	Rate   float64 `json:"tflops"`
	Share  float64 `json:"share_of_peak,omitempty"`

	integers bool // products of int8
	run      func(ctx context.Context) error
}

// report is what bench prints.
type report struct {
	Device   string      `json:"device"`
	DType    string      `json:"dtype"`
	Peak     float64     `json:"peak_tflops,omitempty"`
	Integers float64     `json:"int8_peak_tops,omitempty"`
	Lines    []benchmark `json:"lines"`
}

func runBench(ctx context.Context, a *app, s configs.Settings, each time.Duration, asJSON bool) (err error) {
	b, err := a.open(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	r := report{Device: b.Name()}
	if s.Model == "" && !s.Parts.Any() {
		err = r.verbs(ctx, b, s, each)
	} else {
		err = r.step(ctx, a, b, s, each)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	return r.print(a.stdout)
}

// verbs measures attention and products.
func (r *report) verbs(ctx context.Context, b tensor.Backend, s configs.Settings, each time.Duration) error {
	d, err := chooseDType(s.DType, prefersBF16(b))
	if err != nil {
		return err
	}
	weights, known := weightFormats[s.Weights]
	if !known {
		weights = d
		if s.Weights != "" {
			return unknownWeights(s.Weights)
		}
	}
	lines, err := verbs(b, d, weights)
	if err != nil {
		return err
	}
	return r.measure(ctx, b, d, lines, each)
}

// step measures one evaluation of a model's transformer.
func (r *report) step(ctx context.Context, a *app, b tensor.Backend, s configs.Settings, each time.Duration) (err error) {
	folder, err := a.find(s, false)
	m, err := readModelIn(s.Weights, folder, err)
	if err != nil {
		return err
	}
	d, err := chooseDType(s.DType, prefersBF16(b) && inHalf(m))
	if err != nil {
		return err
	}
	q := request(s, m.Defaults())
	gammas := []float32{1, 1.2}
	step, err := m.OpenStep(ctx, b, d, q, gammas...)
	if err != nil {
		return modelError{err}
	}
	defer func() { err = errors.Join(err, step.Close()) }()
	var lines []benchmark
	for i, gamma := range gammas {
		lines = append(lines, benchmark{Name: fmt.Sprintf("%s, one step at %d×%d, gamma %g", m.Name, q.Width, q.Height, gamma), FLOPs: step.FLOPs,
			run: func(ctx context.Context) error { return step.Run(ctx, i) }})
	}
	lines = append(lines, benchmark{Name: fmt.Sprintf("%s, modulation of %d steps", m.Name, q.Steps), FLOPs: step.Modulation, run: step.Modulate})
	return r.measure(ctx, b, d, lines, each)
}

// measure runs all lines and keeps what was found.
func (r *report) measure(ctx context.Context, b tensor.Backend, d tensor.DType, lines []benchmark, each time.Duration) error {
	r.DType, r.Peak = d.String(), peak(r.Device, d)
	if processor, ok := b.(interface{ Peak(tensor.DType) float64 }); ok {
		r.Peak, r.Integers = processor.Peak(d)/1e12, processor.Peak(tensor.Q8)/1e12
	}
	for _, l := range lines {
		if err := l.measure(ctx, each); err != nil {
			return err
		}
		top := r.Peak
		if l.integers {
			top = r.Integers
		}
		if top > 0 {
			l.Share = l.Rate / top
		}
		r.Lines = append(r.Lines, l)
	}
	return nil
}

// sizes is what a family's blocks are made of at 1024×1024.
var sizes = []struct {
	family            string
	text, visual      int
	heads, size, wide int
}{
	{"FLUX.1", 512, 4096, 24, 128, 12288},
	{"SD3.5 large", 333, 4096, 38, 64, 9728},
	{"SD3.5 medium", 333, 4096, 24, 64, 6144},
}

// verbs makes the operands of all lines, with weights in a format; they live as
// long as b.
func verbs(b tensor.Backend, d, weights tensor.DType) ([]benchmark, error) {
	most, widest := 0, 0
	for _, s := range sizes {
		most, widest = max(most, s.text+s.visual), max(widest, s.wide)
	}
	var operands [4]tensor.Tensor // activations as wide as the widest
	for i := range operands {
		var err error
		if operands[i], err = b.New(most, widest, d); err != nil {
			return nil, err
		}
		fillNormal(b, operands[i])
	}
	group := b.NewGroup()
	var all []benchmark
	for _, s := range sizes {
		rows, d := s.text+s.visual, s.heads*s.size
		do := func(verb func()) func(context.Context) error {
			return func(context.Context) error { verb(); return b.Sync() }
		}
		part := func(i, cols int) tensor.Tensor { return packed(operands[i], rows, cols) }
		for _, gamma := range []float32{1, 1.2} {
			spec := tensor.AttentionSpec{Heads: s.heads, Scale: 0.1, Gamma: gamma,
				Text: tensor.Span{Hi: s.text}, Visual: tensor.Span{Lo: s.text, Hi: rows}}
			all = append(all, benchmark{Name: fmt.Sprintf("%s attention %d×%d×%d, gamma %g", s.family, rows, s.heads, s.size, gamma),
				FLOPs: 4 * float64(rows) * float64(rows) * float64(d),
				run:   do(func() { b.Attention(part(0, d), part(1, d), part(2, d), part(3, d), spec) })})
		}
		for _, cols := range [][2]int{{d, d}, {d, s.wide}, {s.wide, d}} {
			w, err := randomWeights(group, cols[1], cols[0], weights)
			if err != nil {
				return nil, err
			}
			all = append(all, benchmark{Name: fmt.Sprintf("%s linear %d×%d·%d, %v", s.family, rows, cols[0], cols[1], weights),
				FLOPs:    2 * float64(rows) * float64(cols[0]) * float64(cols[1]),
				integers: weights == tensor.Q8 || weights == tensor.Q4,
				run:      do(func() { b.Linear(part(0, cols[1]), part(1, cols[0]), w, tensor.Tensor{}, tensor.Identity) })})
		}
	}
	return all, nil
}

// fillNormal writes normal numbers: products of zeros take a card less power,
// and so less time, than a model's do.
func fillNormal(b tensor.Backend, t tensor.Tensor) {
	const starts = 1 << 16
	numbers := sampler.Noise(1, starts+t.Cols)
	for i := range t.Rows {
		from := i * 4099 % starts // no two rows near each other are alike
		b.Upload(t.RowRange(i, i+1), numbers[from:from+t.Cols])
	}
}

// packed is the beginning of t's memory as a matrix of another shape.
func packed(t tensor.Tensor, rows, cols int) tensor.Tensor {
	t.Rows, t.Cols, t.Stride = rows, cols, cols
	return t
}

// measure runs a line until time is up, at least three times after the first.
func (m *benchmark) measure(ctx context.Context, each time.Duration) error {
	var times []float64
	for begin := time.Now(); len(times) < 4 || time.Since(begin) < each; {
		if err := ctx.Err(); err != nil {
			return err
		}
		start := time.Now()
		if err := m.run(ctx); err != nil {
			return err
		}
		times = append(times, time.Since(start).Seconds())
	}
	times = times[1:] // the first finds algorithms and touches memory
	slices.Sort(times)
	m.Runs, m.Median = len(times), times[len(times)/2]
	m.Rate = m.FLOPs / m.Median / 1e12
	return nil
}

// peaks are dense bf16 tensor-core rates with F32 sums, in TFLOP/s, from
// NVIDIA's data sheets, by the name the driver gives.
var peaks = map[string]float64{
	"NVIDIA A100-SXM4-40GB": 312, "NVIDIA A100-SXM4-80GB": 312, "NVIDIA A100-PCIE-40GB": 312, "NVIDIA A100 80GB PCIe": 312,
	"NVIDIA H100 80GB HBM3": 989, "NVIDIA H100 PCIe": 756, "NVIDIA H200": 989, "NVIDIA L40S": 362, "NVIDIA L40": 181, "NVIDIA L4": 121,
	"NVIDIA GeForce RTX 3090": 71, "NVIDIA RTX A6000": 155, "NVIDIA GeForce RTX 4090": 165, "NVIDIA GeForce RTX 5090": 210,
}

// peak is 0 where it is not known: for other cards, and for what a name like
// "Laptop GPU" makes of one.
func peak(device string, d tensor.DType) float64 {
	name, _, _ := strings.Cut(strings.TrimPrefix(device, "cuda "), " (sm_")
	if d != tensor.BF16 {
		return 0
	}
	return peaks[name]
}

func (r report) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s, %s", r.Device, r.DType)
	if r.Peak > 0 {
		fmt.Fprintf(w, ", peak %.3g TFLOP/s", r.Peak)
	}
	if r.Integers > 0 {
		fmt.Fprintf(w, ", of int8 %.3g TOP/s", r.Integers)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(w, "verb\tmedian\tTFLOP/s\tof peak\truns")
	for _, l := range r.Lines {
		share := "-"
		if l.Share > 0 {
			share = fmt.Sprintf("%.0f %%", 100*l.Share)
		}
		fmt.Fprintf(w, "%s\t%.3f ms\t%.3f\t%s\t%d\n", l.Name, 1e3*l.Median, l.Rate, share, l.Runs)
	}
	return w.Flush()
}
