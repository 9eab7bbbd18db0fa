package pipeline_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/demo"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// velocity is one evaluation of a folder's transformer with its weights in
// another format, or as stored where convert is 0.
func velocity(t *testing.T, folder *checkpoint.Folder, size int, d, convert tensor.DType) []float32 {
	t.Helper()
	m, err := pipeline.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	if convert != 0 {
		m.Convert(convert)
	}
	b, err := cpu.Open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	s, err := m.OpenStep(context.Background(), b, d, pipeline.Request{Width: size, Height: size, Steps: 1, Guidance: 3.5, MaxLength: m.Defaults().MaxLength, TACA: pipeline.TACA{Gamma: 1, Threshold: 970}}, 1.2)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v, err := s.Velocity(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// far is the relative error of got.
func far(want, got []float32) float64 {
	var off, all float64
	for i, w := range want {
		off += float64(w-got[i]) * float64(w-got[i])
		all += float64(w) * float64(w)
	}
	return math.Sqrt(off / all)
}

// TestQuantisedStep holds a step with quantised weights against one with those
// of the file in F32: of the embedded model, and at full width where TACA_PEERS
// names the folders that scripts/bench-peers makes.
func TestQuantisedStep(t *testing.T) {
	folders, size := map[string]*checkpoint.Folder{"embedded": demo.Folder()}, 256
	if peers := os.Getenv("TACA_PEERS"); peers != "" {
		folders, size = map[string]*checkpoint.Folder{}, 512
		for _, name := range []string{"flux", "sd3"} {
			f, err := checkpoint.OpenFolder(filepath.Join(peers, name))
			if err != nil {
				t.Fatal(err)
			}
			folders[name] = f
		}
	}
	for name, f := range folders {
		want := velocity(t, f, size, tensor.F32, 0)
		t.Logf("%s, weights as stored, bf16 activations: %.2f %%", name, 100*far(want, velocity(t, f, size, tensor.BF16, 0)))
		for convert, most := range map[tensor.DType]float64{tensor.F8E4M3: 0.12, tensor.Q8: 0.03, tensor.Q4: 0.4} {
			e := far(want, velocity(t, f, size, tensor.BF16, convert))
			t.Logf("%s, %v: %.2f %%", name, convert, 100*e)
			if !(e < most) {
				t.Errorf("%s, %v: relative error %.4f, want below %g", name, convert, e, most)
			}
		}
	}
}
