package pipeline_test

import (
	"encoding/json"
	"errors"
	"image"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// golden is what diffusers made of a tiny random model, from a seed alone:
// scripts/golden/pipelines.py.
type golden struct {
	name string
	file *checkpoint.File

	Prompt                     string
	Width, Height, Steps, Text int
	Cases                      []struct {
		Name       string
		Seed       int64
		Gamma      float32
		GammaSteps int `json:"gamma_steps"`
		LoRA       float32
		Guidance   float32
		TrueCFG    float32 `json:"true_cfg"`
		Negative   string
	}
	Files []formulaFile // weights that no file holds
}

// TestAgainstDiffusers has models of the smallest widths, with files of
// weights as diffusers writes them.
func TestAgainstDiffusers(t *testing.T) {
	for _, name := range []string{"flux", "schnell", "sd3", "sd3-no-t5"} {
		folder := withTokenizers(t, filepath.Join("testdata", name, "model"))
		openGolden(t, name).compare(t, folder, filepath.Join("testdata", name, "lora.safetensors"))
	}
}

// openGolden opens a model's golden until the test ends.
func openGolden(t *testing.T, name string) *golden {
	t.Helper()
	file, err := checkpoint.OpenFile(filepath.Join("testdata", name, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	g := &golden{name: name, file: file}
	if err := json.Unmarshal([]byte(file.Metadata()["golden"]), g); err != nil {
		t.Fatal(err)
	}
	return g
}

// compare paints every case, in F32 as close to the reference as rounding
// allows, in BF16 within twice the error that the reference makes in bf16.
func (g *golden) compare(t *testing.T, folder, lora string) {
	paint := openPainter(t)
	for _, c := range g.Cases {
		r := pipeline.Request{Prompt: g.Prompt, Negative: c.Negative, Width: g.Width, Height: g.Height, Steps: g.Steps,
			Guidance: c.Guidance, TrueCFG: c.TrueCFG, Seed: c.Seed, MaxLength: g.Text,
			TACA: pipeline.TACA{Gamma: c.Gamma, Steps: c.GammaSteps}}
		var loras []pipeline.LoRA
		if c.LoRA != 0 {
			loras = []pipeline.LoRA{{Path: lora, Scale: c.LoRA}}
		}
		reference := floats(t, g.file, c.Name+".latents")
		t.Run(g.name+"/"+c.Name+"/f32", func(t *testing.T) {
			besideOthers(t)
			p := paint(t, folder, r, pipeline.Config{DType: tensor.F32, LoRAs: loras})
			e := relative(p.Latents, reference)
			if !(e <= 1e-4) {
				t.Errorf("latents: relative error %.2e, want at most 1e-4", e)
			}
			raw, _ := g.file.Tensor(c.Name + ".pixels")
			d := largest(p.Image, raw.Bytes)
			if d > 1 {
				t.Errorf("pixels: a channel differs by %d of 255, want at most 1", d)
			}
			t.Logf("latents: relative error %.2e; pixels: %d of 255", e, d)
		})
		t.Run(g.name+"/"+c.Name+"/bf16", func(t *testing.T) {
			besideOthers(t)
			p := paint(t, folder, r, pipeline.Config{DType: tensor.BF16, LoRAs: loras})
			naive := relative(floats(t, g.file, c.Name+".bf16.latents"), reference)
			e := relative(p.Latents, reference)
			if !(e <= 2*naive) {
				t.Errorf("latents: relative error %.2e, want at most twice diffusers' own in bf16, %.2e", e, naive)
			}
			t.Logf("latents: relative error %.2e, diffusers' own in bf16 %.2e", e, naive)
		})
	}
}

// withTokenizers is a copy of a model folder with the embedded model's
// tokenizers, which the goldens were made with.
func withTokenizers(t *testing.T, folder string) string {
	t.Helper()
	dir := t.TempDir()
	tokens := demo.Folder().FS()
	err := os.CopyFS(dir, os.DirFS(folder))
	for to, from := range map[string]string{"tokenizer": "tokenizer", "tokenizer_2": "tokenizer_2", "tokenizer_3": "tokenizer_2"} {
		if to == "tokenizer_2" && isSD3(folder) { // its second encoder is a CLIP too
			from = "tokenizer"
		}
		sub, subErr := fs.Sub(tokens, from)
		err = errors.Join(err, subErr, os.CopyFS(filepath.Join(dir, to), sub))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func isSD3(folder string) bool {
	data, err := os.ReadFile(filepath.Join(folder, "model_index.json"))
	var index struct {
		Class string `json:"_class_name"`
	}
	return err == nil && json.Unmarshal(data, &index) == nil && index.Class == "StableDiffusion3Pipeline"
}

func floats(t *testing.T, f *checkpoint.File, name string) []float32 {
	t.Helper()
	raw, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("the golden has no %s", name)
	}
	values, err := checkpoint.Floats(raw)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// relative is ‖got − want‖ / ‖want‖.
func relative(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.NaN()
	}
	var apart, size float64
	for i, w := range want {
		d := float64(got[i]) - float64(w)
		apart, size = apart+d*d, size+float64(w)*float64(w)
	}
	return math.Sqrt(apart / size)
}

// largest is the largest difference of a channel between a picture and rgb
// bytes.
func largest(img *image.NRGBA, rgb []byte) int {
	most := 0
	for i := range len(rgb) / 3 {
		for c := range 3 {
			d := int(img.Pix[4*i+c]) - int(rgb[3*i+c])
			most = max(most, d, -d)
		}
	}
	return most
}
