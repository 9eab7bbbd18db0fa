package sampler_test

import (
	"testing"

	"taca/internal/sampler"
)

// TestGammaSchedules holds each schedule around the place where it changes.
func TestGammaSchedules(t *testing.T) {
	for _, c := range []struct {
		name  string
		gamma sampler.GammaSchedule
		step  int
		sigma float32
		want  float32
	}{
		{"off", sampler.Off(), 0, 1, 1},
		{"first 3", sampler.FirstSteps(3, 1.2), 2, 0.01, 1.2},
		{"first 3", sampler.FirstSteps(3, 1.2), 3, 1, 1},
		{"above 970", sampler.AboveTimestep(970, 1.2), 29, 0.971, 1.2},
		{"above 700", sampler.AboveTimestep(700, 1.2), 29, 0.7, 1.2}, // 0.7 in f32 is less than 0.7, its timestep is 700
		{"above 970", sampler.AboveTimestep(970, 1.2), 0, 0.9699, 1},
		{"above 0", sampler.AboveTimestep(0, 0.5), 7, 0.001, 0.5},
		{"above 1000", sampler.AboveTimestep(1000, 1.2), 0, 1, 1.2},
	} {
		if got := c.gamma(c.step, c.sigma); got != c.want {
			t.Errorf("%s: step %d at sigma %v: gamma %v, want %v", c.name, c.step, c.sigma, got, c.want)
		}
	}
}
