package cpu

import (
	"math/rand/v2"
	"slices"
	"testing"

	"taca/internal/tensor"
)

// TestPackedIsForgotten changes x between two products in every way there is,
// and compares the second with a copy of x, which was never packed.
func TestPackedIsForgotten(t *testing.T) {
	const rows, cols = 100, 320 // more than one block of columns, and a strip that is not full
	numbers := make([]float32, rows*cols)
	for i := range numbers {
		numbers[i] = float32(i%17) / 16
	}
	for name, change := range map[string]func(b *Backend, x, y, w tensor.Tensor){
		"Upload": func(b *Backend, x, y, w tensor.Tensor) { b.Upload(x, numbers) },
		"Copy":   func(b *Backend, x, y, w tensor.Tensor) { b.Copy(x, y) },
		"Linear": func(b *Backend, x, y, w tensor.Tensor) { b.Linear(x, y, w, tensor.Tensor{}, tensor.Identity) },
		"Linear, its columns": func(b *Backend, x, y, w tensor.Tensor) {
			b.Linear(x.ColRange(8, 40), y, w.RowRange(0, 32), tensor.Tensor{}, tensor.SiLU)
		},
		"Linear, a row": func(b *Backend, x, y, w tensor.Tensor) {
			b.Linear(x.RowRange(3, 4), y.RowRange(0, 1), w, tensor.Tensor{}, tensor.Identity)
		},
		"AddLowRank": func(b *Backend, x, y, w tensor.Tensor) { b.AddLowRank(x, y, w.RowRange(0, 8), w.ColRange(0, 8), 0.1) },
		"nothing":    func(b *Backend, x, y, w tensor.Tensor) {},
	} {
		b, err := Open(2)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		x, w := operand(t, b, rows, cols, tensor.BF16, random), operand(t, b, cols, cols, tensor.BF16, random)
		y, fresh := operand(t, b, rows, cols, tensor.BF16, random), operand(t, b, rows, cols, tensor.BF16, random)
		b.Linear(y, x, w, tensor.Tensor{}, tensor.Identity)
		change(b, x, y, w)
		var got [2][]float32
		for i, from := range []tensor.Tensor{x, fresh} {
			b.Linear(y, from, w, tensor.Tensor{}, tensor.Identity)
			got[i] = make([]float32, rows*cols)
			b.Download(got[i], y)
			b.Copy(fresh, x)
		}
		if !slices.Equal(got[0], got[1]) {
			t.Errorf("%s: the product is that of the x before", name)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestProductInParts has more rows than are packed at once.
func TestProductInParts(t *testing.T) {
	b, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const in, out = 1 << 16, 224
	rows := packMost/(2*in) + 50
	random := rand.New(rand.NewPCG(3, 4))
	x, w := operand(t, b, rows, in, tensor.BF16, random), operand(t, b, out, in, tensor.BF16, random)
	var got [2][]float32
	for i, step := range []int{rows, 96} {
		y := operand(t, b, rows, out, tensor.BF16, random)
		for lo := 0; lo < rows; lo += step {
			hi := min(lo+step, rows)
			b.Linear(y.RowRange(lo, hi), x.RowRange(lo, hi), w, tensor.Tensor{}, tensor.Identity)
		}
		got[i] = make([]float32, rows*out)
		b.Download(got[i], y)
	}
	if !slices.Equal(got[0], got[1]) {
		t.Error("a product in parts is not the same as the parts' products")
	}
}
