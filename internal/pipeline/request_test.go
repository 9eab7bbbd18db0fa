package pipeline_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"taca/internal/pipeline"
)

func TestRequestsThatCannotBeMet(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	sound := pipeline.Request{Prompt: "x", Width: 64, Height: 32, Steps: 4, MaxLength: 16, TACA: pipeline.TACA{Gamma: 1.2, Threshold: 970}}
	if err := sound.Check(16); err != nil {
		t.Fatalf("a sound request is refused: %v", err)
	}
	for _, c := range []struct {
		change func(*pipeline.Request)
		want   string
	}{
		{func(r *pipeline.Request) { r.Width = 65 }, "size 65×32: width and height must be multiples of 16; try 64×32"},
		{func(r *pipeline.Request) { r.Width = 8 }, "try 16×32"},
		{func(r *pipeline.Request) { r.Height = 0 }, "try 64×16"},
		{func(r *pipeline.Request) { r.Height = -16 }, "must be multiples"},
		{func(r *pipeline.Request) { r.Width = 8208 }, "at most 8192 pixels"},
		{func(r *pipeline.Request) { r.Steps = 0 }, "steps 0"},
		{func(r *pipeline.Request) { r.Steps = 1001 }, "steps 1001"},
		{func(r *pipeline.Request) { r.MaxLength = 0 }, "max sequence length 0"},
		{func(r *pipeline.Request) { r.MaxLength = 513 }, "max sequence length 513"},
		{func(r *pipeline.Request) { r.TACA.Gamma = 0 }, "gamma 0"},
		{func(r *pipeline.Request) { r.TACA.Gamma = nan }, "gamma NaN"},
		{func(r *pipeline.Request) { r.TACA.Gamma = inf }, "gamma +Inf"},
		{func(r *pipeline.Request) { r.TACA.Steps = -1 }, "gamma steps -1"},
		{func(r *pipeline.Request) { r.TACA.Threshold = 1001 }, "threshold 1001"},
		{func(r *pipeline.Request) { r.TACA.Threshold = nan }, "threshold NaN"},
		{func(r *pipeline.Request) { r.TACA.Shape = "cubic" }, `gamma schedule "cubic": write points`},
		{func(r *pipeline.Request) { r.TACA.Shape = "900=1,950=1" }, "timesteps must fall"},
		{func(r *pipeline.Request) { r.Guidance = nan }, "guidance NaN"},
		{func(r *pipeline.Request) { r.Guidance = inf }, "guidance +Inf"},
		{func(r *pipeline.Request) { r.Guidance = -1 }, "guidance -1"},
		{func(r *pipeline.Request) { r.TrueCFG = nan }, "true cfg NaN"},
		{func(r *pipeline.Request) { r.Cache = -0.1 }, "cache -0.1: must be between 0, which turns it off, and 1000; 0.05 to 0.1 is usual"},
		{func(r *pipeline.Request) { r.Cache = nan }, "cache NaN"},
		{func(r *pipeline.Request) { r.Cache = inf }, "cache +Inf"},
		{func(r *pipeline.Request) { r.Prompt = "\xff" }, "UTF-8"},
		{func(r *pipeline.Request) { r.Negative = "a\xc3" }, "UTF-8"},
	} {
		r := sound
		c.change(&r)
		var refused *pipeline.UsageError
		if err := r.Check(16); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want a *UsageError that says %q", r, err, c.want)
		}
	}
}

// TestWhenGammaActs: gamma 1 is off, steps come before the threshold.
func TestWhenGammaActs(t *testing.T) {
	for _, c := range []struct {
		taca  pipeline.TACA
		step  int
		sigma float32
		want  float32
	}{
		{pipeline.TACA{Gamma: 1, Steps: 3}, 0, 1, 1},
		{pipeline.TACA{Gamma: 1.5, Steps: 2}, 1, 0.1, 1.5},
		{pipeline.TACA{Gamma: 1.5, Steps: 2}, 2, 1, 1},
		{pipeline.TACA{Gamma: 1.5, Steps: 2, Threshold: 970}, 2, 1, 1},
		{pipeline.TACA{Gamma: 1.5, Threshold: 970}, 9, 0.97, 1.5},
		{pipeline.TACA{Gamma: 1.5, Threshold: 970}, 0, 0.9699, 1},
		{pipeline.TACA{Gamma: 0.5, Threshold: 0}, 9, 0.001, 0.5},
		{pipeline.TACA{Gamma: 1.5, Steps: 4, Shape: "linear"}, 2, 1, 1.25},
		{pipeline.TACA{Gamma: 1.5, Threshold: 600, Shape: "cosine"}, 0, 0.8, 1.25},
		{pipeline.TACA{Gamma: 1, Shape: "900=1.5,500=1"}, 0, 0.7, 1.25}, // points say gamma themselves
	} {
		schedule, err := c.taca.Schedule()
		if err != nil {
			t.Fatal(err)
		}
		if got := schedule(c.step, c.sigma); got != c.want {
			t.Errorf("%+v in step %d at sigma %g: gamma %g, want %g", c.taca, c.step, c.sigma, got, c.want)
		}
	}
}

// TestSteps: what a model's steps will be is known without weights, and ranges
// of blocks are held against the model.
func TestSteps(t *testing.T) {
	m := read(t, configs(t, "flux"))
	r := pipeline.Request{Width: 32, Height: 32, Steps: 4, MaxLength: 16, TACA: pipeline.TACA{Gamma: 1.4, Steps: 2, Shape: "linear", Blocks: "0-1"}}
	steps, err := m.Steps(r)
	if err != nil || len(steps) != 4 {
		t.Fatalf("%d steps (%v)", len(steps), err)
	}
	for i, want := range []float32{1.4, 1.2, 1, 1} {
		if steps[i].Gamma != want || i > 0 && steps[i].Sigma >= steps[i-1].Sigma {
			t.Errorf("step %d has gamma %v at sigma %v, want gamma %v", i, steps[i].Gamma, steps[i].Sigma, want)
		}
	}
	for blocks, want := range map[string]string{
		fmt.Sprint(m.Blocks()): fmt.Sprintf("this model has blocks 0 to %d", m.Blocks()-1),
		"1-0":                  "write ranges that rise",
	} {
		r.TACA.Blocks = blocks
		var refused *pipeline.UsageError
		if _, err := m.Steps(r); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("blocks %s: error %v, want a *UsageError that says %q", blocks, err, want)
		}
	}
}
