package quantise

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// TestBlocks holds the numbers of ggml's blocks, in every format, against what
// the Python package gguf makes of them (scripts/golden/gguf_formats.py), bit
// for bit.
func TestBlocks(t *testing.T) {
	file, err := checkpoint.OpenFile("../gguf/testdata/formats.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	theirs, err := checkpoint.OpenFile("../gguf/testdata/formats.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	seen := 0
	for _, name := range file.Names() {
		raw, _ := file.Tensor(name)
		reference, _ := theirs.Tensor(name)
		want, err := checkpoint.Floats(reference)
		if err != nil {
			t.Fatal(err)
		}
		d, _ := tensor.ParseDType(raw.Type)
		if d.Quantised() {
			seen++
		}
		got := make([]float32, len(want))
		numbers(got, d, raw.Bytes)
		for i := range want {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("%s: element %d is %v, want %v", name, i, got[i], want[i])
			}
		}
	}
	if seen < 11 {
		t.Errorf("%d tensors are in blocks", seen)
	}
}

// TestUnrotated: the numbers of rotated rows are those that the CPU backend
// makes of them, but for the order of rounding.
func TestUnrotated(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, d := range []tensor.DType{tensor.Q8, tensor.Q4} {
		for _, cols := range []int{32, 96, 640, 2432} {
			const rows = 5
			values := make([]float32, rows*cols)
			for i := range values {
				values[i] = float32(random.NormFloat64())
			}
			s, err := New(source{matrix: floats([]int{rows, cols}, values)}, d, false)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := s.Tensor(matrix)
			got, size := make([]float32, rows*cols), d.RowBytes(cols)
			for r := range rows {
				numbers(got[r*cols:(r+1)*cols], d, raw.Bytes[r*size:(r+1)*size])
			}
			if e := difference(read(t, raw, d), got); !(e < 1e-6) {
				t.Errorf("%v of %d columns: relative difference %.3g", d, cols, e)
			}
		}
	}
}

// streamed is a tensor in another format, written piece by piece.
func streamed(t *testing.T, raw checkpoint.Raw, to string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Stream(context.Background(), &b, raw, to); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestStream: pieces are the whole, in any shape and format.
func TestStream(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	const rows, cols = 451, 2432 // a piece and a half of F32
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	from := floats([]int{rows, cols}, values)
	if got := streamed(t, from, "F32"); !bytes.Equal(got, from.Bytes) {
		t.Error("a copy has other bytes")
	}
	for _, d := range []tensor.DType{tensor.BF16, tensor.Q8} {
		want := make([]byte, rows*d.RowBytes(cols))
		convert(want, from, tensor.F32, d, cols)
		if got := streamed(t, from, d.String()); !bytes.Equal(got, want) {
			t.Errorf("%v: %d bytes, want %d, or others", d, len(got), len(want))
		}
	}
	for _, shape := range [][]int{{}, {0}, {3}, {7, 3}, {3, 5, 3, 3}, {2, 3000, 700}} {
		n := checkpoint.Raw{Shape: shape}.Elements()
		eights := checkpoint.Raw{Shape: shape, Type: "F8_E4M3", Scale: 0.5, Bytes: make([]byte, n)}
		for i := range eights.Bytes {
			eights.Bytes[i] = byte(i % 100)
		}
		want, err := checkpoint.Floats(eights)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, n)
		checkpoint.Decode(got, tensor.BF16, streamed(t, eights, "BF16"))
		for i := range want {
			if got[i] != want[i] { // eight bits are room enough for four
				t.Fatalf("%v: element %d is %v, want %v", shape, i, got[i], want[i])
			}
		}
	}
}

// TestStreamEnds where it is told to.
func TestStreamEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Stream(ctx, &bytes.Buffer{}, floats([]int{2}, []float32{1, 2}), "BF16"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestBecomes says what tensors are in the file that is written.
func TestBecomes(t *testing.T) {
	const modulation, bias, words = "transformer_blocks.0.norm1.linear.weight", "transformer_blocks.0.attn.to_q.bias", "shared.weight"
	for _, c := range []struct {
		name  string
		shape []int
		from  string
		to    tensor.DType
		want  string
	}{
		{matrix, []int{64, 64}, "F32", tensor.Q8, "Q8"},
		{matrix, []int{64, 64}, "BF16", tensor.BF16, "BF16"},
		{matrix, []int{64, 64}, "F16", tensor.BF16, "BF16"},
		{matrix, []int{64, 64}, "F8_E4M3", tensor.BF16, "BF16"},
		{matrix, []int{64, 64}, "F8_E4M3", tensor.Q8, "Q8"},
		{matrix, []int{64, 64}, "Q4", tensor.BF16, "BF16"},
		{matrix, []int{64, 64}, "Q8_0", tensor.Q4, "Q4"},
		{matrix, []int{64, 64}, "Q4_0", tensor.Q8, "Q8"},
		{matrix, []int{64, 40}, "F16", tensor.Q8, "F16"},
		{matrix, []int{64, 40}, "F16", tensor.F8E4M3, "F8_E4M3"},
		{modulation, []int{64, 64}, "Q8_0", tensor.Q8, "BF16"},
		{modulation, []int{64, 64}, "F16", tensor.Q8, "F16"},
		{modulation, []int{64, 64}, "F8_E4M3", tensor.Q8, "F8_E4M3"},
		{modulation, []int{64, 64}, "F8_E5M2", tensor.BF16, "BF16"},
		{bias, []int{64}, "F32", tensor.BF16, "F32"},
		{words, []int{64, 256}, "Q6_K", tensor.F8E4M3, "BF16"},
		{"x", []int{2}, "I64", tensor.BF16, "I64"},
	} {
		raw := checkpoint.Raw{Shape: c.shape, Type: c.from, Scale: 2, Bytes: []byte{1}}
		got := Becomes(c.name, raw, c.to)
		if kept := got.Scale != 0; got.Type != c.want || kept != (c.want == c.from) || got.Bytes != nil {
			t.Errorf("%s %v from %s to %v: %s, scale %v", c.name, c.shape, c.from, c.to, got.Type, got.Scale)
		}
	}
}
