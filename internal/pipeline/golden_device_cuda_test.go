//go:build cuda

package pipeline_test

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/pipeline"
)

// painter makes the picture that the goldens are compared with.
type painter func(t *testing.T, folder string, r pipeline.Request, c pipeline.Config) *pipeline.Picture

// program is the taca command with its CUDA backend.
var program = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "taca-golden")
	if err != nil {
		return "", err
	}
	path := filepath.Join(folder, "taca")
	if out, err := exec.Command("go", "build", "-tags", "cuda", "-o", path, "taca/cmd/taca").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// paintsPicture is whether a case of TestPicturesAgainstDiffusers is painted here:
// an interpreted card has time for one whole picture and one with a mask.
func paintsPicture(name string) bool { return name == "gamma" || name == "inpaint" }

// besideOthers lets a test run beside others: the program keeps one processor
// busy while it has few blocks in flight, and each has a card of its own.
func besideOthers(t *testing.T) { t.Parallel() }

// openPainter runs the whole program on the first card.
func openPainter(t *testing.T) painter {
	taca, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T, folder string, r pipeline.Request, c pipeline.Config) *pipeline.Picture {
		t.Helper()
		dir := t.TempDir()
		latents, picture := filepath.Join(dir, "latents.safetensors"), filepath.Join(dir, "picture.png")
		args := []string{"generate", "--device", "cuda", "--quiet", "--conditioning-cache", "off", "--model", folder, "--prompt", r.Prompt, "--negative-prompt", r.Negative,
			"--dtype", strings.ToLower(c.DType.String()), "--latents-out", latents, "-o", picture}
		for name, value := range map[string]any{"width": r.Width, "height": r.Height, "steps": r.Steps, "guidance": r.Guidance,
			"true-cfg": r.TrueCFG, "seed": r.Seed, "max-sequence-length": r.MaxLength, "gamma": r.TACA.Gamma, "gamma-steps": r.TACA.Steps} {
			args = append(args, fmt.Sprintf("--%s=%v", name, value))
		}
		for _, l := range c.LoRAs {
			args = append(args, "--lora", fmt.Sprintf("%s:%g", l.Path, l.Scale))
		}
		if o := r.Original; o != nil {
			args = append(args, fmt.Sprintf("--strength=%v", r.Strength), "--image", writePicture(t, dir, "original.png", o.Picture))
			if o.Mask != nil {
				args = append(args, "--mask", writePicture(t, dir, "mask.png", o.Mask))
			}
		}
		if out, err := exec.Command(taca, args...).CombinedOutput(); err != nil {
			t.Fatalf("taca %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return &pipeline.Picture{Latents: readLatents(t, latents), Image: readPicture(t, picture)}
	}
}

func writePicture(t *testing.T, dir, name string, img image.Image) string {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(png.Encode(f, img), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func readLatents(t *testing.T, path string) []float32 {
	t.Helper()
	f, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return floats(t, f, "latents")
}

func readPicture(t *testing.T, path string) *image.NRGBA {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	decoded, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewNRGBA(decoded.Bounds())
	for y := range decoded.Bounds().Dy() {
		for x := range decoded.Bounds().Dx() {
			out.Set(x, y, decoded.At(x, y))
		}
	}
	return out
}
