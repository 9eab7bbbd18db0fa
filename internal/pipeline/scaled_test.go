package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/pipeline"
	"taca/internal/quantise"
	"taca/internal/tensor"
)

// single is a Source of one tensor of F32.
type single struct {
	name string
	raw  checkpoint.Raw
}

func (n single) Tensor(string) (checkpoint.Raw, bool) { return n.raw, true }
func (n single) Names() []string                      { return []string{n.name} }
func (n single) String() string                       { return n.name }

// eights is a tensor rounded to F8_E4M3 with a scale such that its largest number
// becomes 448, and what that stands for.
func eights(t *testing.T, name string, raw checkpoint.Raw) (rounded checkpoint.Raw, scale float32, widened []float32) {
	t.Helper()
	values, err := checkpoint.Floats(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		scale = max(scale, v/448, -v/448)
	}
	for i := range values {
		values[i] /= scale
	}
	s, err := quantise.New(single{name, checkpoint.FromFloats(name, raw.Shape, values).Raw}, tensor.F8E4M3, false)
	if err != nil {
		t.Fatal(err)
	}
	rounded, _ = s.Tensor(name)
	rounded.Scale = scale
	if widened, err = checkpoint.Floats(rounded); err != nil {
		t.Fatal(err)
	}
	rounded.Scale = 0 // the file will say so
	return rounded, scale, widened
}

// TestScaledF8 paints with weights of 8 bits and scales, in both spellings: as
// with the numbers they stand for, but for the order of rounding.
func TestScaledF8(t *testing.T) {
	paint := openPainter(t)
	dir := t.TempDir()
	s, err := demo.Folder().Sub("transformer").Weights("diffusion_pytorch_model")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]checkpoint.Tensor{"old": {checkpoint.FromFloats("scaled_fp8", []int{2}, []float32{0, 0})}}
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		layer, is := strings.CutSuffix(name, ".weight")
		if !is || !quantise.Converts(name, raw.Shape, tensor.F32, tensor.F8E4M3) {
			for _, spelling := range []string{"old", "new", "widened"} {
				files[spelling] = append(files[spelling], checkpoint.Tensor{Name: name, Raw: raw})
			}
			continue
		}
		rounded, scale, widened := eights(t, name, raw)
		files["old"] = append(files["old"], checkpoint.Tensor{Name: name, Raw: rounded}, checkpoint.FromFloats(layer+".scale_weight", nil, []float32{scale}))
		files["new"] = append(files["new"], checkpoint.Tensor{Name: name, Raw: rounded}, checkpoint.FromFloats(layer+".weight_scale", []int{1}, []float32{scale}),
			checkpoint.FromFloats(layer+".input_scale", nil, []float32{1}))
		files["widened"] = append(files["widened"], checkpoint.FromFloats(name, raw.Shape, widened))
	}
	r := pipeline.Request{Prompt: "a red cube", Width: 64, Height: 64, Steps: 2, Guidance: 1, TrueCFG: 1, MaxLength: 16, TACA: pipeline.TACA{Gamma: 1}}
	latents := func(spelling string, d tensor.DType) []float32 {
		to := filepath.Join(dir, spelling)
		if _, err := os.Stat(to); err != nil {
			if err := os.CopyFS(to, demo.Folder().FS()); err != nil {
				t.Fatal(err)
			}
			if err := checkpoint.Write(filepath.Join(to, "transformer", "diffusion_pytorch_model.safetensors"), files[spelling], nil); err != nil {
				t.Fatal(err)
			}
		}
		return paint(t, to, r, pipeline.Config{DType: d}).Latents
	}
	exact := latents("widened", tensor.F32)
	for d, most := range map[tensor.DType]float64{tensor.F32: 1e-5, tensor.BF16: 2 * relative(latents("widened", tensor.BF16), exact)} {
		for _, spelling := range []string{"old", "new"} {
			if e := relative(latents(spelling, d), exact); !(e < most) {
				t.Errorf("%s, %v: relative error %.3g, want below %.3g", spelling, d, e, most)
			}
		}
	}
}
