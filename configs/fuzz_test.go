package configs_test

import (
	"fmt"
	"testing"

	"go.yaml.in/yaml/v3"

	"taca/configs"
	"taca/internal/fuzztest"
)

// FuzzOverlay: whatever YAML a --config file holds, an error, or settings in
// which gamma acts one way, and which are written and read again as they were.
func FuzzOverlay(f *testing.F) {
	f.Add([]byte("prompt: a fox\nsteps: 28\ngamma_steps: 3\nlora: [a.safetensors:0.5, b.safetensors]\nbase: flux-dev\n"))
	f.Add([]byte("# nothing\n"))
	f.Add([]byte("a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nlora: [*c, *c, *c, *c]\n"))
	f.Add([]byte("seed: 9223372036854775808\nwidth: 1_000\nguidance: .inf\ngamma: .nan\nlora_lenient: yes\n"))
	f.Add([]byte("<<: {steps: 3}\nsteps: 4\n--- \nsteps: 5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := configs.Defaults()
		var err error
		fuzztest.Bounded(t, 1<<17, 4<<10, len(data), func() { err = s.Overlay(data, "x.yaml") })
		if err != nil {
			return
		}
		if s.GammaN != configs.Defaults().GammaN && s.GammaT != configs.Defaults().GammaT {
			t.Errorf("gamma acts in %d steps, and from %g on", s.GammaN, s.GammaT)
		}
		text := written(t, s)
		again := configs.Defaults()
		if err := again.Overlay(text, "written"); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if before, after := fmt.Sprintf("%+q", []any{s}), fmt.Sprintf("%+q", []any{again}); before != after { // NaN is no other than NaN
			t.Errorf("%s became %s", before, after)
		}
	})
}

// written is settings as a file has them, which says in one way when gamma acts.
func written(t *testing.T, s configs.Settings) []byte {
	t.Helper()
	keys := map[string]any{}
	text, err := yaml.Marshal(s)
	if err == nil {
		err = yaml.Unmarshal(text, &keys)
	}
	if s.GammaN != configs.Defaults().GammaN {
		delete(keys, "gamma_threshold")
	}
	if err == nil {
		text, err = yaml.Marshal(keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}
