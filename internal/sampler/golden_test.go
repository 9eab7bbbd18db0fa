package sampler_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"taca/internal/sampler"
)

// golden is what scripts/golden/sampler.py recorded of torch and diffusers.
type golden struct {
	Configs map[string]json.RawMessage
	Noise   []struct {
		Seed       uint64
		N          int
		Head, Tail []float32 // the first and the last, or all in Head
		SHA256     string    // of all, as little-endian f32
	}
	Draws []struct {
		Seed  uint64
		Sizes []int
		Tails [][]float32 // of each draw, its last values
	}
	LeftOut []struct {
		Steps, Skipped int
		Strength       float64
	} `json:"left_out"`
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

// TestNoiseIsTorchs, bit for bit.
func TestNoiseIsTorchs(t *testing.T) {
	for _, want := range load(t).Noise {
		got := sampler.Noise(want.Seed, want.N)
		kept := slices.Concat(got[:len(want.Head)], got[want.N-len(want.Tail):])
		for i, w := range slices.Concat(want.Head, want.Tail) {
			if kept[i] != w {
				t.Errorf("seed %d, %d values: recorded value %d is %v, want %v", want.Seed, want.N, i, kept[i], w)
			}
		}
		digest := sha256.New()
		if err := binary.Write(digest, binary.LittleEndian, got); err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(digest.Sum(nil)) != want.SHA256 {
			t.Errorf("seed %d: the digest of %d values is not torch's", want.Seed, want.N)
		}
	}
}

// TestDrawsAreTorchs: what is drawn first decides what comes after.
func TestDrawsAreTorchs(t *testing.T) {
	draws := load(t).Draws
	if len(draws) == 0 {
		t.Fatal("the golden has no draws")
	}
	for _, want := range draws {
		g := sampler.NewGenerator(want.Seed)
		for i, n := range want.Sizes {
			got := g.Normal(n)
			if tail := want.Tails[i]; !slices.Equal(got[n-len(tail):], tail) {
				t.Errorf("seed %d, draw %d of %d values ends with %v, want %v", want.Seed, i, n, got[n-len(tail):], tail)
			}
		}
	}
}

func TestStepsLeftOutAreDiffusers(t *testing.T) {
	cases := load(t).LeftOut
	if len(cases) == 0 {
		t.Fatal("the golden has none")
	}
	for _, want := range cases {
		if got := sampler.Skipped(want.Steps, want.Strength); got != want.Skipped {
			t.Errorf("strength %v leaves out %d of %d steps, want %d", want.Strength, got, want.Steps, want.Skipped)
		}
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
