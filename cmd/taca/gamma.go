package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"taca/configs"
	"taca/internal/model"
	"taca/internal/pipeline"
	"taca/internal/sampler"
)

// taca registers gamma and its schedule.
func (f *settingFlags) taca(c *cobra.Command) {
	fl := c.Flags()
	flag(f, "gamma", func(s *configs.Settings) *float32 { return &s.Gamma }, func(p *float32) {
		fl.Float32Var(p, "gamma", 1.2, "TACA: `factor` on the logits of visual queries and text keys; 1 turns it off")
	})
	flag(f, "gamma-steps", func(s *configs.Settings) *int { return &s.GammaN }, func(p *int) {
		fl.IntVar(p, "gamma-steps", -1, "gamma acts in the first `N` steps (the official code: 3 of 30), those that --strength leaves out counted")
		fl.Lookup("gamma-steps").DefValue = "0" // not shown: by threshold
	})
	flag(f, "gamma-threshold", func(s *configs.Settings) *float32 { return &s.GammaT }, func(p *float32) {
		fl.Float32Var(p, "gamma-threshold", 970, "gamma acts at timesteps of at least `T`, 0..1000 (the paper: 970)")
	})
	f.shape(c)
}

// shape registers how gamma changes, and where it acts.
func (f *settingFlags) shape(c *cobra.Command) {
	fl := c.Flags()
	flag(f, "gamma-schedule", func(s *configs.Settings) *string { return &s.GammaShape }, func(p *string) {
		fl.StringVar(p, "gamma-schedule", "", "`shape`: constant (default), linear or cosine decay to 1 over the steps in which gamma acts; or points such as 1000=1.4,900=1, or a file of them, one TIMESTEP GAMMA a line")
	})
	flag(f, "gamma-blocks", func(s *configs.Settings) *string { return &s.GammaBlocks }, func(p *string) {
		fl.StringVar(p, "gamma-blocks", "", "`ranges` of the transformer's blocks in which gamma acts, from 0, such as 0-18,30 (default: all)")
	})
}

// settle turns the schedule's name into what a picture remembers: a word or
// points. Points say gamma themselves, so a flag that does is refused.
func settle(c *cobra.Command, s *configs.Settings) error {
	switch s.GammaShape {
	case "constant":
		s.GammaShape = ""
		return nil
	case "", "linear", "cosine":
		return nil
	}
	if !strings.Contains(s.GammaShape, "=") {
		points, err := readPoints(s.GammaShape)
		if err != nil {
			return err
		}
		s.GammaShape = points
	}
	for _, name := range []string{"gamma", "gamma-steps", "gamma-threshold"} {
		if c.Flags().Changed(name) {
			return usagef("gamma schedule %s says gamma at every timestep: leave out --%s, or add --gamma-schedule constant", s.GammaShape, name)
		}
	}
	return nil
}

// largestSchedule bounds the files of points that are read, in bytes.
const largestSchedule = 1 << 20

// readPoints reads a file of points.
func readPoints(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", usagef("gamma schedule %s is neither constant, linear nor cosine, has no points TIMESTEP=GAMMA, and cannot be read as a file: %w", path, cause(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, largestSchedule+1))
	if err != nil {
		return "", usagef("gamma schedule %s: %w", path, cause(err))
	}
	if len(text) > largestSchedule {
		return "", usagef("gamma schedule %s: it is larger than %d bytes", path, largestSchedule)
	}
	points, err := sampler.ReadPoints(string(text))
	if err != nil {
		return "", usagef("gamma schedule %s: %w", path, err)
	}
	return sampler.FormatPoints(points), nil
}

// tacaOf is what settings say of gamma.
func tacaOf(s configs.Settings) pipeline.TACA {
	t := pipeline.TACA{Gamma: s.Gamma, Shape: s.GammaShape, Blocks: s.GammaBlocks}
	switch {
	case t.Pointed():
		t.Gamma = farthest(t.Shape)
	case s.GammaN == 0: // in no step
		return pipeline.TACA{Gamma: 1}
	case s.GammaN > 0:
		t.Steps = s.GammaN
	default:
		t.Threshold = s.GammaT
	}
	return t
}

// farthest is the gamma of the points that differs most from 1.
func farthest(shape string) float32 {
	most := float32(1)
	points, _ := sampler.ParsePoints(shape) // what is wrong is found by the request's check
	for _, p := range points {
		if math.Abs(float64(p.Gamma)-1) > math.Abs(float64(most)-1) {
			most = p.Gamma
		}
	}
	return most
}

// scheduled is a step as --print-schedule tells it.
type scheduled struct {
	Step     int     `json:"step"` // from 1, those that --strength leaves out included
	Sigma    float32 `json:"sigma"`
	Timestep float32 `json:"timestep"`
	Gamma    float32 `json:"gamma"`
	Blocks   string  `json:"blocks"`
	LoRA     bool    `json:"taca_lora"`
}

// printSchedule tells sigma and gamma of every step of a request.
func printSchedule(a *app, m *pipeline.Model, r pipeline.Request, asJSON bool) error {
	steps, err := m.Steps(r)
	if err != nil {
		return err
	}
	blocks := r.TACA.Blocks
	if blocks == "" {
		blocks = fmt.Sprintf("0-%d", m.Blocks()-1)
	}
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	lines := json.NewEncoder(a.stdout)
	if !asJSON {
		fmt.Fprintln(table, "step\tsigma\ttimestep\tgamma\tin blocks\ttaca lora")
	}
	for i, s := range steps {
		row := scheduled{r.Steps - len(steps) + i + 1, s.Sigma, s.Sigma * 1000, s.Gamma, blocks, s.Gamma != 1}
		if s.Gamma == 1 {
			row.Blocks = ""
		}
		if asJSON {
			if err := lines.Encode(row); err != nil {
				return err
			}
			continue
		}
		state := map[bool]string{true: "on", false: "off"}[row.LoRA]
		fmt.Fprintf(table, "%d\t%.5f\t%.2f\t%.5g\t%s\t%s\n", row.Step, row.Sigma, row.Timestep, row.Gamma, row.Blocks, state)
	}
	return table.Flush()
}

// acts reports whether gamma acts in any of the steps.
func acts(steps []model.Step) bool {
	return slices.ContainsFunc(steps, func(s model.Step) bool { return s.Gamma != 1 })
}
