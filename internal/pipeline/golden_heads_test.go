package pipeline_test

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/model/modeltest"
)

// headed are models with the published heads of 64 and 128 columns, wide
// enough for the kernels that real pictures take: scripts/golden/heads.py.
// Their weights are a formula, so that no file has to hold them.
var headed = []string{"flux-64", "flux-128", "sd35-medium", "sd35-large"}

// formulaFile is a file of weights by formula.
type formulaFile struct {
	File     string            // where it is in the model's folder
	Metadata map[string]string // of a LoRA
	SHA256   string            // of the values that diffusers saved, one tensor after another
	Weights  modeltest.Weights
}

func TestHeadsAgainstDiffusers(t *testing.T) {
	for _, name := range headed {
		g := openGolden(t, name)
		folder := g.planned(t, name)
		g.compare(t, folder, filepath.Join(folder, "lora.safetensors"))
	}
}

// planned is the folder of a model whose weights the golden plans.
func (g golden) planned(t *testing.T, name string) string {
	t.Helper()
	if len(g.Files) == 0 {
		t.Fatalf("golden %s plans no weights", name)
	}
	folder := withTokenizers(t, filepath.Join("testdata", name, "model"))
	for _, f := range g.Files {
		f.write(t, folder)
	}
	return folder
}

// TestGoldenFormula: weights computed here are, to the bit, those that
// diffusers ran with.
func TestGoldenFormula(t *testing.T) {
	for _, name := range headed {
		for _, f := range openGolden(t, name).Files {
			digest := sha256.New()
			for _, raw := range f.tensors() {
				digest.Write(raw.Bytes)
			}
			if got := hex.EncodeToString(digest.Sum(nil)); got != f.SHA256 {
				t.Errorf("%s/%s: values have digest %s, diffusers' have %s", name, f.File, got, f.SHA256)
			}
		}
	}
}

func (f formulaFile) tensors() []checkpoint.Tensor {
	var all []checkpoint.Tensor
	for _, name := range f.Weights.Names() {
		raw, _ := f.Weights.Tensor(name)
		all = append(all, checkpoint.Tensor{Name: name, Raw: raw})
	}
	return all
}

// write makes the file in a model's folder.
func (f formulaFile) write(t *testing.T, folder string) {
	t.Helper()
	if err := checkpoint.Write(filepath.Join(folder, f.File), f.tensors(), f.Metadata); err != nil {
		t.Fatal(err)
	}
}
