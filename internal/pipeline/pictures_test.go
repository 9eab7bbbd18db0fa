package pipeline_test

import (
	"encoding/json"
	"image"
	"path/filepath"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// pictures is what diffusers' img2img and inpaint pipelines made of a picture:
// scripts/golden/pictures.py.
type pictures struct {
	file     *checkpoint.File
	original pipeline.Original

	Prompt                     string
	Width, Height, Steps, Text int
	Cases                      []struct {
		Name       string
		Seed       int64
		Gamma      float32
		GammaSteps int `json:"gamma_steps"`
		Guidance   float32
		Negative   string
		Strength   float64
		Mask       bool
	}
}

func openPictures(t *testing.T, name string) *pictures {
	t.Helper()
	file, err := checkpoint.OpenFile(filepath.Join("testdata", name, "pictures.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	g := &pictures{file: file}
	if err := json.Unmarshal([]byte(file.Metadata()["golden"]), g); err != nil {
		t.Fatal(err)
	}
	bounds := image.Rect(0, 0, g.Width, g.Height)
	g.original = pipeline.Original{Picture: image.NewRGBA(bounds), Mask: image.NewGray(bounds)}
	colours, _ := file.Tensor("picture")
	for i := range g.Width * g.Height {
		copy(g.original.Picture.Pix[4*i:], colours.Bytes[3*i:3*i+3])
		g.original.Picture.Pix[4*i+3] = 255
	}
	mask, _ := file.Tensor("mask")
	copy(g.original.Mask.Pix, mask.Bytes)
	return g
}

// request is the i-th case.
func (g *pictures) request(i int) pipeline.Request {
	c := g.Cases[i]
	original := g.original
	if !c.Mask {
		original.Mask = nil
	}
	return pipeline.Request{Prompt: g.Prompt, Negative: c.Negative, Width: g.Width, Height: g.Height, Steps: g.Steps,
		Guidance: c.Guidance, Seed: c.Seed, MaxLength: g.Text, Strength: c.Strength, Original: &original,
		TACA: pipeline.TACA{Gamma: c.Gamma, Steps: c.GammaSteps}}
}

// TestPicturesAgainstDiffusers: runs that start from a picture, in F32 as close
// to the reference as rounding allows, in BF16 within twice the error that the
// reference makes in bf16.
func TestPicturesAgainstDiffusers(t *testing.T) {
	paint := openPainter(t)
	for _, name := range []string{"flux", "sd3"} {
		g, folder := openPictures(t, name), withTokenizers(t, filepath.Join("testdata", name, "model"))
		for i, c := range g.Cases {
			if !paintsPicture(c.Name) {
				continue
			}
			reference := floats(t, g.file, c.Name)
			naive := relative(floats(t, g.file, c.Name+".bf16"), reference)
			for d, most := range map[tensor.DType]float64{tensor.F32: 1e-4, tensor.BF16: 2 * naive} {
				t.Run(name+"/"+c.Name+"/"+d.String(), func(t *testing.T) {
					p := paint(t, folder, g.request(i), pipeline.Config{DType: d})
					e := relative(p.Latents, reference)
					if !(e <= most) {
						t.Errorf("latents: relative error %.2e, want at most %.2e", e, most)
					}
					t.Logf("latents: relative error %.2e of %.2e", e, most)
				})
			}
		}
	}
}
