package pipeline_test

import (
	"errors"
	"image"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// readModel is the tiny FLUX of the goldens, its configuration alone.
func readModel(t *testing.T) *pipeline.Model {
	t.Helper()
	files, err := checkpoint.OpenFolder(withTokenizers(t, filepath.Join("testdata", "flux", "model")))
	if err != nil {
		t.Fatal(err)
	}
	m, err := pipeline.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOriginalsThatCannotBe(t *testing.T) {
	m, g := readModel(t), openPictures(t, "flux")
	const masked = 4
	if err := m.Check(g.request(masked)); err != nil {
		t.Fatal(err)
	}
	for want, spoil := range map[string]func(*pipeline.Request){
		"strength 0: must be above 0":                        func(r *pipeline.Request) { r.Strength = 0 },
		"strength 1.5: must be above 0":                      func(r *pipeline.Request) { r.Strength = 1.5 },
		"strength NaN: must be above 0":                      func(r *pipeline.Request) { r.Strength = math.NaN() },
		"none of 6 steps is left":                            func(r *pipeline.Request) { r.Strength = 1e-20 },
		"the picture to start from is 96×64, not 64×64":      func(r *pipeline.Request) { r.Width = 64 },
		"the mask is 96×32, not 96×64":                       func(r *pipeline.Request) { r.Original.Mask = image.NewGray(image.Rect(0, 0, 96, 32)) },
		"the mask is black: nothing would be painted":        func(r *pipeline.Request) { r.Original.Mask = image.NewGray(image.Rect(0, 0, 96, 64)) },
		"latents of 3 values: a 96×64 picture needs [1, 16,": func(r *pipeline.Request) { r.Latents = make([]float32, 3) },
	} {
		r := g.request(masked)
		spoil(&r)
		err := m.Check(r)
		if err == nil { // found when it is painted
			_, err = paintEach(t, m, nil, r)
		}
		var refused *pipeline.UsageError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q in it", err, want)
		}
	}
}

// paintEach paints requests with one pipeline.
func paintEach(t *testing.T, m *pipeline.Model, watch pipeline.Watcher, requests ...pipeline.Request) (all []*pipeline.Picture, err error) {
	t.Helper()
	b, err := cpu.Open(2)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	p, err := pipeline.Open(t.Context(), m, b, pipeline.Config{DType: tensor.F32}, watch)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, r := range requests {
		texts, err := p.Read(t.Context(), r, nil)
		if err != nil {
			return nil, err
		}
		picture, err := p.Paint(t.Context(), r, texts, watch)
		if err != nil {
			return nil, err
		}
		all = append(all, picture)
	}
	return all, nil
}

// TestOneOriginalIsEncodedOnce, whatever the seeds; and what a mask keeps is the
// same whatever the prompt, to the bit.
func TestOneOriginalIsEncodedOnce(t *testing.T) {
	g := openPictures(t, "flux")
	const masked = 4
	first := g.request(masked)
	other, another := first, first
	other.Prompt, another.Seed = "a green cone", 8
	encoded, steps := 0, 0
	all, err := paintEach(t, readModel(t), func(e pipeline.Event) {
		if e.Stage == pipeline.Encoding && e.What == "vae encoder" && e.Done == 0 {
			encoded++
		}
		if e.Stage == pipeline.Denoising {
			steps = e.Total
		}
	}, first, other, another)
	if err != nil {
		t.Fatal(err)
	}
	if encoded != 1 || steps != 5 {
		t.Errorf("the picture was encoded %d times for the last %d steps, want once for 5", encoded, steps)
	}
	if kept := same(all[0].Latents, all[1].Latents); kept < 100 || kept > len(all[0].Latents)-100 {
		t.Errorf("%d of %d latents are the same under another prompt", kept, len(all[0].Latents))
	}
	if n := same(all[0].Latents, all[2].Latents); n > 10 {
		t.Errorf("%d latents are the same with another seed, which draws the original's latents, too", n)
	}
}

func same(a, b []float32) int {
	n := 0
	for i, v := range a {
		if v == b[i] {
			n++
		}
	}
	return n
}

// TestPlanOfAnOriginal: its encoder is a part of its own, only the steps that run
// count, and a mask takes four matrices of the latents' size.
func TestPlanOfAnOriginal(t *testing.T) {
	m, g := readModel(t), openPictures(t, "flux")
	const whole, masked = 0, 4
	plain := g.request(whole)
	plain.Original = nil
	parts := func(r pipeline.Request) (names []string, steps pipeline.Cost) {
		plan, err := m.Plan(t.Context(), r, tensor.F32)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range plan {
			names = append(names, c.Part)
		}
		return names, plan[len(plan)-2]
	}
	without, all := parts(plain)
	with, some := parts(g.request(whole))
	_, within := parts(g.request(masked))
	if want := slices.Insert(slices.Clone(without), 2, "vae encoder"); !slices.Equal(with, want) {
		t.Errorf("parts are %q, want %q", with, want)
	}
	if all.Runs != 6 || some.Runs != 5 {
		t.Errorf("%d and %d steps, want 6 and 5", all.Runs, some.Runs)
	}
	if d := within.State - some.State; d != 4*4*16*12*8 {
		t.Errorf("a mask takes %d bytes, want four matrices of 16 × 12 × 8 floats", d)
	}
}
