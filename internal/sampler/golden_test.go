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
