package opstest

import (
	"fmt"
	"testing"

	"taca/internal/tensor"
)

// testMemory holds a backend to what tensor.Backend and tensor.Group say of
// memory.
func testMemory(t *testing.T, b tensor.Backend) {
	if b.Name() == "" {
		t.Error("no name")
	}
	t.Run("scratch", func(t *testing.T) { testScratch(t, b) })
	t.Run("state", func(t *testing.T) { testState(t, b) })
	t.Run("weights", func(t *testing.T) { testWeights(t, b) })
}

// fill sets all of t to v.
func fill(b tensor.Backend, t tensor.Tensor, v float32) {
	host := make([]float32, t.Rows*t.Cols)
	for i := range host {
		host[i] = v
	}
	b.Upload(t, host)
}

// holds fails unless all of x is v.
func holds(t *testing.T, b tensor.Backend, what string, x tensor.Tensor, v float64) {
	t.Helper()
	for i, got := range values(b, x) {
		if got != v {
			t.Errorf("%s: element %d is %v, want %v", what, i, got, v)
			return
		}
	}
}

// testScratch reserves exactly what tensor.Arena's rule asks for.
func testScratch(t *testing.T, b tensor.Backend) {
	type size struct {
		rows, cols int
		d          tensor.DType
	}
	sizes := []size{{1, 1, tensor.F32}, {3, 5, tensor.BF16}, {16, 4, tensor.F32}, {0, 9, tensor.F32}, {33, 7, tensor.BF16}, {1, 17, tensor.F32}}
	var arena tensor.Arena
	for _, s := range sizes {
		arena.Take(s.rows * s.cols * s.d.Size())
	}
	if err := b.Reserve(arena.Peak()); err != nil {
		t.Fatal(err)
	}
	start := b.Mark()
	for round := range 2 {
		var taken []tensor.Tensor
		for i, s := range sizes {
			x := b.Scratch(s.rows, s.cols, s.d)
			if x.Rows != s.rows || x.Cols != s.cols || x.DType != s.d {
				t.Fatalf("scratch of %v is %v", s, x)
			}
			fill(b, x, float32(i+1))
			taken = append(taken, x)
		}
		half := b.Mark()
		for i, x := range taken {
			holds(t, b, fmt.Sprint("round ", round, ", scratch ", i), x, float64(i+1))
		}
		b.Release(half)
		b.Release(start)
		if b.Mark() != start {
			t.Errorf("released to %v, want %v", b.Mark(), start)
		}
	}
	keep := b.Scratch(2, 8, tensor.F32)
	fill(b, keep, 5)
	mark := b.Mark()
	fill(b, b.Scratch(4, 8, tensor.F32), 6)
	b.Release(mark)
	fill(b, b.Scratch(4, 8, tensor.F32), 7)
	holds(t, b, "scratch below a mark", keep, 5)
	b.Release(start)
	if err := b.Reserve(1); err != nil {
		t.Errorf("reserving less than there is: %v", err)
	}
}

func testState(t *testing.T, b tensor.Backend) {
	for range 3 {
		var states []tensor.Tensor
		for i, d := range []tensor.DType{tensor.F32, tensor.BF16, tensor.F32} {
			x, err := b.New(5, 7+i, d)
			if err != nil {
				t.Fatal(err)
			}
			holds(t, b, "new state", x, 0)
			fill(b, x, float32(i+1))
			states = append(states, x)
		}
		b.Free(states[0])
		holds(t, b, "state beside what was freed", states[1], 2)
		b.Free(states[1])
		holds(t, b, "state beside what was freed", states[2], 3)
		b.Free(states[2])
	}
}

func testWeights(t *testing.T, b tensor.Backend) {
	first, second := b.NewGroup(), b.NewGroup()
	if _, err := first.Bind(make([]byte, 11), 2, 3, tensor.BF16); err == nil {
		t.Error("11 bytes were taken for a 2×3 matrix of BF16")
	}
	bind := func(g tensor.Group, d tensor.DType, v float64) tensor.Tensor {
		w, err := g.Bind(encode(d, []float64{v, v, v, v, v, v}), 2, 3, d)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	got := b.Scratch(2, 3, tensor.F32)
	defer b.Release(b.Mark())
	read := func(what string, w tensor.Tensor, v float64) {
		b.Copy(got, w)
		holds(t, b, what, got, v)
	}
	x, y := bind(first, tensor.F32, 3), bind(second, tensor.BF16, 4)
	first.Need(second)
	read("weights of the first group", x, 3)
	second.Need(nil)
	read("weights of the second group", y, 4)
	first.Drop()
	read("weights beside what was dropped", y, 4)
	second.Drop()
	third := b.NewGroup()
	third.Need(nil)
	z := bind(third, tensor.F8E4M3, 1.5)
	third.Need(nil)
	read("weights bound after others were dropped", z, 1.5)
	third.Drop()
}
