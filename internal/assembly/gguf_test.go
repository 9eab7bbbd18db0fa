package assembly_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"taca/internal/assembly"
	"taca/internal/checkpoint"
	"taca/internal/convert"
	"taca/internal/dialect"
	"taca/internal/quantise"
	"taca/internal/tensor"
)

// inF32 is what a source's tensors stand for.
func inF32(t *testing.T, s checkpoint.Source) (out []checkpoint.Tensor) {
	t.Helper()
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		var b bytes.Buffer
		if err := quantise.Stream(context.Background(), &b, raw, "F32"); err != nil {
			t.Fatal(err)
		}
		out = append(out, checkpoint.Tensor{Name: name, Raw: checkpoint.Raw{Shape: raw.Shape, Type: "F32", Bytes: b.Bytes()}})
	}
	return out
}

// TestGGUFOfAuthors: GGUF files of FLUX.1 and Stable Diffusion 3.5 in their
// authors' names, written by the gguf package (scripts/golden/gguf_models.py),
// hold the canonical tensors that this package and diffusers' converter make of
// them, and paint to the bit what those paint in F32; converted to bf16 they are
// these, rounded.
func TestGGUFOfAuthors(t *testing.T) {
	var golden map[string]map[string]string
	if err := json.Unmarshal(content(t, "testdata/gguf.json"), &golden); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]dialect.Kind{"flux": dialect.FLUXTransformer, "sd3": dialect.SD3Transformer} {
		path, dir := filepath.Join("testdata", name+".gguf"), folder(t, name)
		file, err := checkpoint.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		parts, err := dialect.Read(file)
		if err != nil || len(parts) != 1 || parts[0].Kind != kind || parts[0].Dialect != "original" {
			t.Fatalf("%s: %v (%v)", name, parts, err)
		}
		numbers := inF32(t, parts[0])
		if len(numbers) != len(golden[name]) {
			t.Errorf("%s: %d tensors, want %d", name, len(numbers), len(golden[name]))
		}
		for _, x := range numbers {
			if sum := sha256.Sum256(x.Bytes); hex.EncodeToString(sum[:]) != golden[name][x.Name] {
				t.Errorf("%s: %s has other numbers", name, x.Name)
			}
		}
		latents, pixels := painted(t, assembled(t, assembly.Files{Transformer: path}, dir))
		if err := checkpoint.Write(filepath.Join(dir, "transformer/diffusion_pytorch_model.safetensors"), numbers, nil); err != nil {
			t.Fatal(err)
		}
		wide, err := checkpoint.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		samePicture(t, name+", its numbers in F32", wide, latents, pixels)
		rounded, bf16 := filepath.Join(t.TempDir(), "bf16.safetensors"), tensor.BF16
		if _, err := convert.File(context.Background(), rounded, parts, &bf16, func(int, int) {}); err != nil {
			t.Fatal(err)
		}
		near, _ := painted(t, assembled(t, assembly.Files{Transformer: rounded}, dir))
		if slices.Equal(near, latents) || far(near, latents) > 0.02 {
			t.Errorf("%s in bf16: relative difference %.3g", name, far(near, latents))
		}
	}
}

// far is the relative difference of numbers.
func far(got, want []float32) float64 {
	off, all := 0.0, 0.0
	for i, w := range want {
		off, all = off+float64(got[i]-w)*float64(got[i]-w), all+float64(w)*float64(w)
	}
	return math.Sqrt(off / all)
}
