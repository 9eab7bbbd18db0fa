package pipeline_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/lora"
	"taca/internal/model/modeltest"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// adapted is what diffusers painted with LoRAs on text encoders:
// scripts/golden/pipelines_lora.py.
type adapted struct {
	Prompt                     string
	Width, Height, Steps, Text int
	Scale                      float32
	Cases                      []struct {
		Name     string
		Seed     int64
		Guidance float32
		Negative string
		Adapter  modeltest.Weights
		Metadata map[string]string
	}
}

// openAdapted reads a golden, and writes the LoRA of each of its cases.
func openAdapted(t *testing.T, name string) (g adapted, file *checkpoint.File, loras []string) {
	t.Helper()
	file, err := checkpoint.OpenFile(filepath.Join("testdata", name, "encoders-lora.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := json.Unmarshal([]byte(file.Metadata()["golden"]), &g); err != nil {
		t.Fatal(err)
	}
	for _, c := range g.Cases {
		var tensors []checkpoint.Tensor
		for _, name := range c.Adapter.Names() {
			raw, _ := c.Adapter.Tensor(name)
			tensors = append(tensors, checkpoint.Tensor{Name: name, Raw: raw})
		}
		path := filepath.Join(t.TempDir(), "lora.safetensors")
		if err := checkpoint.Write(path, tensors, c.Metadata); err != nil {
			t.Fatal(err)
		}
		loras = append(loras, path)
	}
	if len(loras) == 0 {
		t.Fatal("a golden without cases")
	}
	return g, file, loras
}

func (g adapted) request(i int) pipeline.Request {
	c := g.Cases[i]
	return pipeline.Request{Prompt: g.Prompt, Negative: c.Negative, Width: g.Width, Height: g.Height, Steps: g.Steps,
		Guidance: c.Guidance, Seed: c.Seed, MaxLength: g.Text, TACA: pipeline.TACA{Gamma: 1}}
}

// TestAdaptedEncoders: with a LoRA on text encoders latents are diffusers', and
// the same bits when the prompt comes from the cache, where it is found by no
// other LoRA and no other scale.
func TestAdaptedEncoders(t *testing.T) {
	for _, name := range []string{"flux", "sd3"} {
		folder := withTokenizers(t, filepath.Join("testdata", name, "model"))
		opened, err := checkpoint.OpenFolder(folder)
		if err != nil {
			t.Fatal(err)
		}
		golden, file, loras := openAdapted(t, name)
		cache := t.TempDir()
		paint := func(r pipeline.Request, loras ...pipeline.LoRA) (latents []float32, cached bool) {
			s := setting{folder: opened, cache: cache, threads: 2, config: pipeline.Config{DType: tensor.F32, LoRAs: loras}}
			s.use(t, func(p *pipeline.Pipeline, _ *binder) {
				texts, err := p.Read(t.Context(), r, nil)
				if err != nil {
					t.Fatal(err)
				}
				picture, err := p.Paint(t.Context(), r, texts, nil)
				if err != nil {
					t.Fatal(err)
				}
				latents, cached = picture.Latents, texts.Cached
			})
			return latents, cached
		}
		plain, _ := paint(golden.request(0))
		for i, c := range golden.Cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				l := pipeline.LoRA{Path: loras[i], Scale: golden.Scale}
				latents, cached := paint(golden.request(i), l)
				e := relative(latents, floats(t, file, c.Name))
				if !(e <= 1e-4) || cached {
					t.Errorf("latents: relative error %.2e, want at most 1e-4; found in the cache: %v", e, cached)
				}
				t.Logf("latents: relative error %.2e", e)
				if again, cached := paint(golden.request(i), l); !cached || !slices.Equal(again, latents) {
					t.Errorf("again: found in the cache: %v, other latents by %.2e", cached, relative(again, latents))
				}
				l.Scale = 0.2
				if _, cached := paint(golden.request(i), l); cached {
					t.Error("another scale was found in the cache")
				}
				l.Scale = 0
				if off, cached := paint(golden.request(i), l); !cached || !slices.Equal(off, plain) {
					t.Errorf("scale 0: found in the cache: %v, apart from no LoRA by %.2e", cached, relative(off, plain))
				}
			})
		}
	}
}

// TestAdaptedInBF16: the error is at most twice that of diffusers in bf16.
func TestAdaptedInBF16(t *testing.T) {
	paint := openPainter(t)
	for _, name := range []string{"flux", "sd3"} {
		folder := withTokenizers(t, filepath.Join("testdata", name, "model"))
		golden, file, loras := openAdapted(t, name)
		for i, c := range golden.Cases {
			p := paint(t, folder, golden.request(i), pipeline.Config{DType: tensor.BF16, LoRAs: []pipeline.LoRA{{Path: loras[i], Scale: golden.Scale}}})
			reference := floats(t, file, c.Name)
			e, naive := relative(p.Latents, reference), relative(floats(t, file, c.Name+".bf16"), reference)
			if !(e <= 2*naive) {
				t.Errorf("%s, %s: relative error %.2e, want at most twice diffusers' own in bf16, %.2e", name, c.Name, e, naive)
			}
			t.Logf("%s, %s: relative error %.2e, diffusers' own in bf16 %.2e", name, c.Name, e, naive)
		}
	}
}

// TestGatedEncoders: a LoRA that follows gamma has no say in the encoders, which
// is said, not passed over.
func TestGatedEncoders(t *testing.T) {
	folder, err := checkpoint.OpenFolder(withTokenizers(t, filepath.Join("testdata", "flux", "model")))
	if err != nil {
		t.Fatal(err)
	}
	golden, _, loras := openAdapted(t, "flux")
	last := len(loras) - 1 // of all parts
	m, err := pipeline.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	config := pipeline.Config{DType: tensor.F32, LoRAs: []pipeline.LoRA{{Path: loras[last], Scale: 1, TACA: true}}}
	_, err = pipeline.Open(t.Context(), m, b, config, nil)
	var refused *lora.Error
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "an adapter that follows gamma acts in some of the transformer's steps") {
		t.Fatalf("error %v", err)
	}
	config.Lenient = true
	p, err := pipeline.Open(t.Context(), m, b, config, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	left := p.LeftOut()[loras[last]]
	if len(left) != 1 || len(left[0].Keys) == 0 || slices.ContainsFunc(left[0].Keys, func(k string) bool { return strings.HasPrefix(k, "transformer.") }) {
		t.Errorf("left out: %v", left)
	}
	if len(golden.Cases[last].Adapter) <= len(left[0].Keys) {
		t.Error("nothing is left of it")
	}
}
