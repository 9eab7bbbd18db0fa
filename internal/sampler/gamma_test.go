package sampler_test

import (
	"math"
	"strings"
	"testing"

	"taca/internal/sampler"
)

// points are of a schedule with a jump, as a file would say it.
func points(t *testing.T, text string) sampler.GammaSchedule {
	t.Helper()
	p, err := sampler.ParsePoints(text)
	if err != nil {
		t.Fatal(err)
	}
	if again := sampler.FormatPoints(p); again != text {
		t.Errorf("%q is written as %q", text, again)
	}
	return sampler.Piecewise(p)
}

// TestGammaSchedules holds each schedule around the place where it changes. The
// decaying ones are held to values that were worked out by hand: cos 45° is
// 0.70710678.
func TestGammaSchedules(t *testing.T) {
	constant, linear, cosine := sampler.Constant, sampler.Linear, sampler.Cosine
	for _, c := range []struct {
		name  string
		gamma sampler.GammaSchedule
		step  int
		sigma float32
		want  float32
	}{
		{"off", sampler.Off(), 0, 1, 1},
		{"first 3", sampler.FirstSteps(3, 1.2, constant), 2, 0.01, 1.2},
		{"first 3", sampler.FirstSteps(3, 1.2, constant), 3, 1, 1},
		{"above 970", sampler.AboveTimestep(970, 1.2, constant), 29, 0.971, 1.2},
		{"above 700", sampler.AboveTimestep(700, 1.2, constant), 29, 0.7, 1.2}, // 0.7 in f32 is less than 0.7, its timestep is 700
		{"above 970", sampler.AboveTimestep(970, 1.2, constant), 0, 0.9699, 1},
		{"above 0", sampler.AboveTimestep(0, 0.5, constant), 7, 0.001, 0.5},
		{"above 1000", sampler.AboveTimestep(1000, 1.2, constant), 0, 1, 1.2},

		{"linear, first 4", sampler.FirstSteps(4, 1.4, linear), 0, 1, 1.4},
		{"linear, first 4", sampler.FirstSteps(4, 1.4, linear), 1, 1, 1.3},
		{"linear, first 4", sampler.FirstSteps(4, 1.4, linear), 3, 1, 1.1},
		{"linear, first 4", sampler.FirstSteps(4, 1.4, linear), 4, 1, 1},
		{"linear, first 4", sampler.FirstSteps(4, 0.6, linear), 2, 1, 0.8},
		{"cosine, first 4", sampler.FirstSteps(4, 1.4, cosine), 0, 1, 1.4},
		{"cosine, first 4", sampler.FirstSteps(4, 1.4, cosine), 1, 1, 1.341421356},
		{"cosine, first 4", sampler.FirstSteps(4, 1.4, cosine), 2, 1, 1.2},
		{"cosine, first 4", sampler.FirstSteps(4, 1.4, cosine), 3, 1, 1.058578644},
		{"cosine, first 4", sampler.FirstSteps(4, 1.4, cosine), 4, 1, 1},
		{"linear, above 600", sampler.AboveTimestep(600, 1.8, linear), 9, 1, 1.8},
		{"linear, above 600", sampler.AboveTimestep(600, 1.8, linear), 9, 0.9, 1.6},
		{"linear, above 600", sampler.AboveTimestep(600, 1.8, linear), 9, 0.6, 1},
		{"linear, above 600", sampler.AboveTimestep(600, 1.8, linear), 9, 0.59, 1},
		{"cosine, above 600", sampler.AboveTimestep(600, 1.8, cosine), 9, 0.9, 1.682842712},
		{"cosine, above 600", sampler.AboveTimestep(600, 1.8, cosine), 9, 0.7, 1.117157288},
		{"linear, above 1000", sampler.AboveTimestep(1000, 1.2, linear), 0, 1, 1.2},
		{"linear, above 970", sampler.AboveTimestep(970, 1.2, linear), 0, 1.0001, 1.2}, // as some schedules begin

		{"one point", points(t, "500=1.3"), 0, 1, 1.3},
		{"one point", points(t, "500=1.3"), 0, 0.2, 1.3},
		{"points", points(t, "1000=1.4,900=1.2,500=1"), 0, 1, 1.4},
		{"points", points(t, "1000=1.4,900=1.2,500=1"), 0, 0.975, 1.35},
		{"points", points(t, "1000=1.4,900=1.2,500=1"), 0, 0.9, 1.2},
		{"points", points(t, "1000=1.4,900=1.2,500=1"), 0, 0.6, 1.05},
		{"points", points(t, "1000=1.4,900=1.2,500=1"), 0, 0.4, 1},
		{"a jump", points(t, "1000=1.2,970=1.2,970=1"), 0, 0.985, 1.2},
		{"a jump", points(t, "1000=1.2,970=1.2,970=1"), 0, 0.97, 1.2}, // as above 970
		{"a jump", points(t, "1000=1.2,970=1.2,970=1"), 0, 0.9699, 1},
		{"a jump at once", points(t, "970=1.2,970=1"), 0, 0.98, 1.2},
		{"a jump at once", points(t, "970=1.2,970=1"), 0, 0.96, 1},
	} {
		if got := c.gamma(c.step, c.sigma); math.Abs(float64(got-c.want)) > 2e-7 {
			t.Errorf("%s: step %d at sigma %v: gamma %v, want %v", c.name, c.step, c.sigma, got, c.want)
		}
	}
}

// TestFullGammaIsExact: where all of gamma is left it is the number that was
// given, and where nothing is left it is 1, to the bit.
func TestFullGammaIsExact(t *testing.T) {
	for _, gamma := range []float32{1e-4, 0.3, 1.1, 1.2, 1.3, 7.7, 1e4} {
		for _, decay := range []sampler.Decay{sampler.Constant, sampler.Linear, sampler.Cosine} {
			if got := sampler.FirstSteps(3, gamma, decay)(0, 1); got != gamma {
				t.Errorf("gamma %v became %v", gamma, got)
			}
		}
		for _, decay := range []sampler.Decay{sampler.Linear, sampler.Cosine} {
			if got := sampler.AboveTimestep(600, gamma, decay)(0, 0.6); got != 1 {
				t.Errorf("gamma %v decayed to %v", gamma, got)
			}
		}
	}
}

func TestBadPoints(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "TIMESTEP=GAMMA"}, {"1000", "TIMESTEP=GAMMA"}, {"x=1", "0..1000"}, {"1001=1", "0..1000"}, {"-1=1", "0..1000"},
		{"nan=1", "0..1000"}, {"5=0", "above 0"}, {"5=", "above 0"}, {"5=inf", "above 0"}, {"5=nan", "above 0"}, {"5=1,6=1", "must fall"},
	} {
		if p, err := sampler.ParsePoints(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v (%v), want an error that says %q", c.text, p, err, c.want)
		}
	}
}
