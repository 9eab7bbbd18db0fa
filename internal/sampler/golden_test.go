package sampler_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"taca/internal/sampler"
)

// golden is what scripts/golden/sampler.py recorded of torch and diffusers.
type golden struct {
	Configs map[string]json.RawMessage
	Noise   []struct {
		Seed       uint64
		N          int
		Head, Tail []float32
	}
	Schedules []struct {
		Family, Config string
		Steps, Tokens  int
		Sigmas         []float32
	}
}

func load(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestNoiseIsTorchs allows the last bits that C libraries differ in.
func TestNoiseIsTorchs(t *testing.T) {
	worst := 0.0
	for _, want := range load(t).Noise {
		got := sampler.Noise(want.Seed, want.N)
		for i, w := range want.Head {
			worst = max(worst, far(got[i], w))
		}
		for i, w := range want.Tail {
			worst = max(worst, far(got[want.N-len(want.Tail)+i], w))
		}
	}
	if !(worst <= 3e-7) {
		t.Errorf("noise differs from torch's by %.2g", worst)
	}
}

func TestSchedulesAreDiffusers(t *testing.T) {
	g := load(t)
	for _, want := range g.Schedules {
		var c sampler.Config
		if err := json.Unmarshal(g.Configs[want.Config], &c); err != nil {
			t.Fatal(err)
		}
		make := map[string]func(sampler.Config, int, int) (sampler.Schedule, error){"flux": sampler.FLUX, "sd3": sampler.SD3}[want.Family]
		got, err := make(c, want.Steps, want.Tokens)
		if err != nil {
			t.Errorf("%s with config %s, %d steps: %v", want.Family, want.Config, want.Steps, err)
			continue
		}
		if got.Steps() != want.Steps {
			t.Fatalf("%d steps, want %d", got.Steps(), want.Steps)
		}
		for i, w := range want.Sigmas {
			if got[i] != w {
				t.Errorf("%s with config %s, %d steps, %d tokens: sigma %d is %v, want %v", want.Family, want.Config, want.Steps, want.Tokens, i, got[i], w)
				break
			}
		}
	}
}

// far is the distance relative to 1 or to the value, whichever is larger.
func far(got, want float32) float64 {
	return math.Abs(float64(got)-float64(want)) / math.Max(1, math.Abs(float64(want)))
}
