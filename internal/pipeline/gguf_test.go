package pipeline_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/demo"
	"taca/internal/gguf/gguftest"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// component is a part of the embedded model that becomes a GGUF file.
type component struct {
	name, stem string
	format     tensor.DType
}

// rewrite puts two copies of the embedded model into folders: one whose parts
// are GGUF files, one that holds what those stand for in F32. off is the largest
// relative error of a matrix.
func rewrite(t *testing.T, parts []component) (quantised, widened string, off float64) {
	t.Helper()
	dir := t.TempDir()
	quantised, widened = filepath.Join(dir, "quantised"), filepath.Join(dir, "widened")
	for _, to := range []string{quantised, widened} {
		if err := os.CopyFS(to, demo.Folder().FS()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range parts {
		s, err := demo.Folder().Sub(c.name).Weights(c.stem)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := gguftest.Convert(s, c.format)
		if err != nil {
			t.Fatal(err)
		}
		var numbers []checkpoint.Tensor
		for _, b := range blocks {
			raw, _ := s.Tensor(b.Name)
			if b.Type != raw.Type {
				values, err := checkpoint.Floats(raw)
				if err != nil {
					t.Fatal(err)
				}
				rounded := widen(t, b.Bytes, raw.Shape, c.format)
				off = max(off, relative(rounded, values))
				raw = checkpoint.FromFloats(b.Name, raw.Shape, rounded).Raw
			}
			numbers = append(numbers, checkpoint.Tensor{Name: b.Name, Raw: raw})
		}
		path := filepath.Join(c.name, c.stem)
		err = os.WriteFile(filepath.Join(quantised, path+".gguf"), gguftest.File(blocks, map[string]string{"general.architecture": "flux"}), 0o666)
		if err == nil {
			err = os.Remove(filepath.Join(quantised, path+".safetensors"))
		}
		if err == nil {
			err = checkpoint.Write(filepath.Join(widened, path+".safetensors"), numbers, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return quantised, widened, off
}

// widen is the numbers of blocks, which the tests of internal/cpu hold against
// the gguf package's.
func widen(t *testing.T, raw []byte, shape []int, d tensor.DType) []float32 {
	t.Helper()
	b, err := cpu.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	w, err := b.NewGroup().Bind(raw, shape[0], shape[1], d)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, shape[0]*shape[1])
	b.Download(out, w)
	return out
}

// TestGGUF paints with the embedded model as GGUF, text encoder and transformer:
// to the bit as with the numbers that its blocks stand for, and no further from
// the picture of the model as it is than twice what its weights are.
func TestGGUF(t *testing.T) {
	paint := openPainter(t)
	original := filepath.Join(t.TempDir(), "original")
	if err := os.CopyFS(original, demo.Folder().FS()); err != nil {
		t.Fatal(err)
	}
	r := pipeline.Request{Prompt: "a red cube", Width: 64, Height: 64, Steps: 2, Guidance: 1, TrueCFG: 1, MaxLength: 16, TACA: pipeline.TACA{Gamma: 1}}
	want := paint(t, original, r, pipeline.Config{DType: tensor.F32}).Latents
	for _, format := range []tensor.DType{tensor.Q8_0, tensor.Q4_K} {
		quantised, widened, off := rewrite(t, []component{{"transformer", "diffusion_pytorch_model", format}, {"text_encoder_2", "model", tensor.Q8_0}})
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			got := paint(t, quantised, r, pipeline.Config{DType: d}).Latents
			if same := paint(t, widened, r, pipeline.Config{DType: d}).Latents; !slices.Equal(got, same) {
				t.Errorf("%v in %v: %.3g from what its blocks stand for", format, d, relative(got, same))
			}
			e := relative(got, want)
			t.Logf("%v in %v: relative error %.2f %%, of weights up to %.2f %%", format, d, 100*e, 100*off)
			if !(e < 2*off) {
				t.Errorf("%v in %v: relative error %.4f, want below twice %.4f", format, d, e, off)
			}
		}
	}
}

// TestPlanOfGGUF counts the bytes of the file, and copies none of them.
func TestPlanOfGGUF(t *testing.T) {
	quantised, _, _ := rewrite(t, []component{{"transformer", "diffusion_pytorch_model", tensor.Q4_K}})
	folder, err := checkpoint.OpenFolder(quantised)
	if err != nil {
		t.Fatal(err)
	}
	s, err := folder.Sub("transformer").Weights("diffusion_pytorch_model")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want := 0
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		want += len(raw.Bytes)
	}
	parts := costs(t, folder, 0)
	transformer, modulation := parts["transformer"], parts["modulation"]
	if got := transformer.Weights + modulation.Weights; got != want {
		t.Errorf("%d bytes of weights are planned, the file holds %d", got, want)
	}
	if copied := (pipeline.Plan{transformer, modulation}).Copied(); copied != 0 {
		t.Errorf("%d bytes of weights are copied", copied)
	}
}
