package main

import (
	"math"
	"testing"

	"taca/internal/cpu"
	"taca/internal/tensor"
)

// TestRandomWeights multiplies by weights of every format: sums are finite, and
// not all the same.
func TestRandomWeights(t *testing.T) {
	b, err := cpu.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	x, err := b.New(3, 64, tensor.BF16)
	if err != nil {
		t.Fatal(err)
	}
	fillNormal(b, x)
	dst, err := b.New(3, 8, tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range weightFormats {
		w, err := randomWeights(b.NewGroup(), 8, 64, d)
		if err != nil {
			t.Fatal(err)
		}
		b.Linear(dst, x, w, tensor.Tensor{}, tensor.Identity)
		got := make([]float32, 24)
		b.Download(got, dst)
		for _, v := range got {
			if size := math.Abs(float64(v)); !(size > 0 && size < 1000) {
				t.Errorf("%s: sums %v", name, got)
				break
			}
		}
	}
	if err := b.Sync(); err != nil {
		t.Error(err)
	}
}
