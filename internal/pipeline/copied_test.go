package pipeline_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/demo"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// costs plans a picture of a folder's model, with its transformer converted
// unless convert is 0, and gives the cost of each part.
func costs(t *testing.T, f *checkpoint.Folder, convert tensor.DType) map[string]pipeline.Cost {
	t.Helper()
	m, err := pipeline.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if convert != 0 {
		m.Convert(convert)
	}
	if m.InProgram() == f.OnDisk() {
		t.Errorf("%v: in the program: %v", f, m.InProgram())
	}
	r := pipeline.Request{Width: 64, Height: 64, Steps: 1, MaxLength: 16, TACA: pipeline.TACA{Gamma: 1}}
	plan, err := m.Plan(context.Background(), r, tensor.BF16)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]pipeline.Cost{}
	for _, c := range plan {
		parts[c.Part] = c
	}
	return parts
}

// TestCopied: of a folder, the VAE's convolutions are copies, since they are put
// into another order, and what is converted on the way; nothing else is. What
// is inside the program is copied as a whole.
func TestCopied(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, demo.Folder().FS()); err != nil {
		t.Fatal(err)
	}
	folder, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	copied := func(c pipeline.Cost) float64 { return float64(pipeline.Plan{c}.Copied()) / float64(c.Weights) }
	for part, c := range costs(t, demo.Folder(), 0) {
		if copied(c) != 1 {
			t.Errorf("embedded %s: %.3f is copied", part, copied(c))
		}
	}
	for part, c := range costs(t, folder, 0) {
		least, most := 0.0, 0.0
		if part == "vae" {
			least, most = 0.9, 0.999
		}
		if got := copied(c); got < least || got > most {
			t.Errorf("%s of a folder: %.3f is copied, want %g to %g", part, got, least, most)
		}
	}
	quantised := costs(t, folder, tensor.Q8)
	converted := quantised["transformer"]
	if got := copied(converted); got < 0.9 || got > 0.99 {
		t.Errorf("a converted transformer: %.3f is copied, want its blocks' matrices", got)
	}
	if got := copied(quantised["modulation"]); got != 0 {
		t.Errorf("a converted transformer's modulation, which stays as it is: %.3f is copied", got)
	}
	for i, n := range converted.Mapped() {
		if n < 0 {
			t.Errorf("block %d has %d mapped bytes", i, n)
		}
	}
}
