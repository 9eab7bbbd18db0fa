package pipeline_test

import (
	"testing"
	"testing/fstest"

	"taca/internal/checkpoint"
	"taca/internal/pipeline"
)

func read(t *testing.T, files fstest.MapFS) *pipeline.Model {
	t.Helper()
	m, err := pipeline.Read(checkpoint.NewFolder(files, "folder"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestDefaults are those of diffusers' pipelines for the model's configs.
func TestDefaults(t *testing.T) {
	for name, want := range map[string]pipeline.Defaults{
		"flux":    {Size: 1024, Steps: 28, Guidance: 3.5, MaxLength: 512},
		"schnell": {Size: 1024, Steps: 4, Guidance: 0, MaxLength: 256},
		"sd3":     {Size: 128, Steps: 28, Guidance: 7, MaxLength: 256}, // sample_size 16
	} {
		if got := read(t, configs(t, name)).Defaults(); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestScales: FLUX embeds guidance and has true CFG above 1; SD3's guidance is
// classifier-free.
func TestScales(t *testing.T) {
	for _, c := range []struct {
		model         string
		request       pipeline.Request
		embedded, cfg float32
	}{
		{"flux", pipeline.Request{Guidance: 3.5}, 3.5, 1},
		{"flux", pipeline.Request{Guidance: 3.5, TrueCFG: 1}, 3.5, 1},
		{"flux", pipeline.Request{Guidance: 3.5, TrueCFG: 4}, 3.5, 4},
		{"sd3", pipeline.Request{Guidance: 7}, 0, 7},
		{"sd3", pipeline.Request{Guidance: 1}, 0, 1},
		{"sd3", pipeline.Request{Guidance: 0, TrueCFG: 4}, 0, 1},
	} {
		if embedded, cfg := read(t, configs(t, c.model)).Scales(c.request); embedded != c.embedded || cfg != c.cfg {
			t.Errorf("%s, guidance %g, true cfg %g: embedded %g, classifier-free %g; want %g, %g",
				c.model, c.request.Guidance, c.request.TrueCFG, embedded, cfg, c.embedded, c.cfg)
		}
	}
}

// TestTooLarge: SD3 has places for so many tokens and no more, which is the
// request's fault and not the model's.
func TestTooLarge(t *testing.T) {
	err := planOf(read(t, configs(t, "sd3")), 1024)
	if _, ok := err.(*pipeline.UsageError); !ok {
		t.Errorf("error %v, want a *UsageError", err)
	}
}
