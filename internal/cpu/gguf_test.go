package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
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

// BenchmarkBlocks is a product of FLUX.1's width by weights of every format, of
// many rows and of one.
func BenchmarkBlocks(b *testing.B) {
	const in, out = 3072, 768
	for _, isa := range Available() {
		for _, n := range []int{1024, 1} {
			for d := tensor.F32; d <= tensor.Q6_K; d++ {
				if d.Rotated() {
					continue
				}
				b.Run(fmt.Sprintf("%s/%d/%v", isa, n, d), func(b *testing.B) {
					backend := openISA(b, isa, 1)
					random := rand.New(rand.NewPCG(1, 2))
					raw := make([]byte, out*d.RowBytes(in))
					for i := range raw {
						raw[i] = byte(random.Uint32()) & 0x3b // no NaN in any format
					}
					w, err := backend.NewGroup().Bind(raw, out, in, d)
					if err != nil {
						b.Fatal(err)
					}
					x, dst := operand(b, backend, n, in, tensor.BF16, random), operand(b, backend, n, out, tensor.BF16, random)
					for b.Loop() {
						backend.Linear(dst, x, w, tensor.Tensor{}, tensor.Identity)
					}
				})
			}
		}
	}
}
