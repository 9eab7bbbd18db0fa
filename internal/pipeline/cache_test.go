package pipeline_test

import (
	"slices"
	"testing"

	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// TestCacheOfPictures: where nothing is close enough the picture is the one
// without a cache, to the bit; where everything is, all steps but the first with
// either gamma are left out, and the estimate tells that it is another picture.
func TestCacheOfPictures(t *testing.T) {
	for _, name := range []string{"flux", "sd3"} {
		_, p := openLedger(t, name, tensor.F32)
		paint := func(cache float32) *pipeline.Picture {
			r := pipeline.Request{Prompt: "a cube", Negative: "a cone", Width: 64, Height: 48, Steps: 7, MaxLength: 16,
				Guidance: 2, TrueCFG: 2, TACA: pipeline.TACA{Gamma: 1.2, Steps: 3}, Cache: cache}
			texts, err := p.Read(t.Context(), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			picture, err := p.Paint(t.Context(), r, texts, nil)
			if err != nil {
				t.Fatal(err)
			}
			return picture
		}
		whole, never, always := paint(0), paint(1e-9), paint(1e3)
		if !slices.Equal(whole.Latents, never.Latents) || never.Reuse.Steps != 0 || never.Reuse.Error != 0 || whole.Reuse != never.Reuse {
			t.Errorf("%s: a cache that nothing is close enough for took %+v", name, never.Reuse)
		}
		if always.Reuse.Steps != 7-2 {
			t.Errorf("%s: %d of 7 steps were left out, want all but the first with and without gamma", name, always.Reuse.Steps)
		}
		off := relative(always.Latents, whole.Latents)
		if !(off > 0 && always.Reuse.Error > off/10 && always.Reuse.Error < off*10) {
			t.Errorf("%s: the estimate is %.3f, the latents are off by %.3f", name, always.Reuse.Error, off)
		}
		t.Logf("%s: estimated %.3f, measured %.3f", name, always.Reuse.Error, off)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
