package cpu

import (
	"math"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// TestGGUFNumbers holds every number of a file that the Python package gguf
// wrote, in every format, against what that package makes of it, bit for bit.
func TestGGUFNumbers(t *testing.T) {
	file, err := checkpoint.OpenFile("../gguf/testdata/formats.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	numbers, err := checkpoint.OpenFile("../gguf/testdata/formats.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Close()
	for _, isa := range Available() {
		b := openISA(t, isa, 1)
		for _, name := range file.Names() {
			raw, _ := file.Tensor(name)
			reference, _ := numbers.Tensor(name)
			want, err := checkpoint.Floats(reference)
			if err != nil {
				t.Fatal(err)
			}
			d, _ := tensor.ParseDType(raw.Type)
			cols := raw.Shape[len(raw.Shape)-1]
			w, err := b.NewGroup().Bind(raw.Bytes, raw.Elements()/cols, cols, d)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]float32, len(want))
			b.Download(got, w)
			for i := range want {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Fatalf("%s: %s: element %d is %v, want %v", isa, name, i, got[i], want[i])
				}
			}
		}
		b.Close()
	}
}
