package quantise

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/tensor"
)

// source is a checkpoint in memory.
type source map[string]checkpoint.Raw

func (s source) Tensor(name string) (checkpoint.Raw, bool) { r, ok := s[name]; return r, ok }
func (s source) Names() []string {
	var names []string
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
func (s source) String() string { return "memory" }

func floats(shape []int, values []float32) checkpoint.Raw {
	return checkpoint.FromFloats("", shape, values).Raw
}

const matrix = "transformer_blocks.0.attn.to_q.weight"

// TestErrors holds the relative error of a matrix of normal numbers, a few of
// them outliers, against what the formats allow: a step over √12 of a row's
// rotated numbers.
func TestErrors(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, cols := range []int{32, 96, 640, 2432, 3072} {
		const rows = 40
		values := make([]float32, rows*cols)
		for i := range values {
			values[i] = float32(random.NormFloat64() * 0.02)
			if random.IntN(500) == 0 {
				values[i] *= 30
			}
		}
		for d, most := range map[tensor.DType]float64{tensor.BF16: 0.002, tensor.F8E4M3: 0.04, tensor.Q8: 0.015, tensor.Q4: 0.11} {
			s, err := New(source{matrix: floats([]int{rows, cols}, values)}, d, false)
			if err != nil {
				t.Fatal(err)
			}
			raw, _ := s.Tensor(matrix)
			if raw.Type != d.String() {
				t.Fatalf("%v became %s", d, raw.Type)
			}
			if e := difference(values, read(t, raw, d)); !(e < most) {
				t.Errorf("%d columns of %v: relative error %.4f, want below %g", cols, d, e, most)
			}
		}
	}
}

// read lets the CPU backend, which is held against an independent definition of
// the formats, say what the weights are.
func read(t *testing.T, raw checkpoint.Raw, d tensor.DType) []float32 {
	b, err := cpu.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	w, err := b.NewGroup().Bind(raw.Bytes, raw.Shape[0], raw.Shape[1], d)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, raw.Elements())
	b.Download(out, w)
	return out
}

func difference(want, got []float32) float64 {
	var off, all float64
	for i, w := range want {
		off += float64(w-got[i]) * float64(w-got[i])
		all += float64(w) * float64(w)
	}
	return math.Sqrt(off / all)
}

// TestF8 rounds every midpoint and every number of F8_E4M3.
func TestF8(t *testing.T) {
	var numbers []float32
	for b := range 0x7f {
		v := make([]float32, 1)
		checkpoint.Decode(v, tensor.F8E4M3, []byte{byte(b)})
		if got := f8(v[0]); got != byte(b) {
			t.Errorf("%g is %#x, want %#x", v[0], got, b)
		}
		if got := f8(-v[0]); got != byte(b)|0x80 && v[0] != 0 {
			t.Errorf("%g is %#x, want %#x", -v[0], got, b|0x80)
		}
		numbers = append(numbers, v[0])
	}
	for b := range len(numbers) - 1 {
		want := byte(b + b&1) // the even one
		if got := f8((numbers[b] + numbers[b+1]) / 2); got != want {
			t.Errorf("between %g and %g: %#x, want %#x", numbers[b], numbers[b+1], got, want)
		}
	}
	if f8(1e9) != 0x7e || f8(-1e9) != 0xfe || f8(float32(math.NaN()))&0x7f != 0x7f {
		t.Errorf("large numbers are %#x, %#x, NaN %#x", f8(1e9), f8(-1e9), f8(float32(math.NaN())))
	}
}

// TestConverts says which tensors are converted.
func TestConverts(t *testing.T) {
	for _, c := range []struct {
		name     string
		shape    []int
		from, to tensor.DType
		want     bool
	}{
		{matrix, []int{64, 64}, tensor.BF16, tensor.Q8, true},
		{"single_transformer_blocks.3.proj_out.weight", []int{64, 320}, tensor.F32, tensor.Q4, true},
		{matrix, []int{64, 64}, tensor.F32, tensor.BF16, true},
		{matrix, []int{64, 64}, tensor.BF16, tensor.BF16, false},
		{matrix, []int{64, 64}, tensor.Q8, tensor.Q8, false},
		{matrix, []int{64, 64}, tensor.F8E4M3, tensor.Q8, false},
		{matrix, []int{64, 40}, tensor.BF16, tensor.Q8, false},
		{"transformer_blocks.0.norm1.linear.weight", []int{64, 64}, tensor.BF16, tensor.Q8, false},
		{"single_transformer_blocks.0.norm.linear.weight", []int{64, 64}, tensor.BF16, tensor.Q8, false},
		{"transformer_blocks.0.attn.norm_q.weight", []int{64}, tensor.BF16, tensor.Q8, false},
		{"transformer_blocks.0.attn.to_q.bias", []int{64}, tensor.BF16, tensor.Q8, false},
		{"x_embedder.weight", []int{64, 64}, tensor.BF16, tensor.Q8, false},
		{"proj_out.weight", []int{64, 64}, tensor.BF16, tensor.Q8, false},
	} {
		if got := Converts(c.name, c.shape, c.from, c.to); got != c.want {
			t.Errorf("%s %v from %v to %v: %v", c.name, c.shape, c.from, c.to, got)
		}
	}
}

// TestQuantisedTwice refuses to quantise what is quantised.
func TestQuantisedTwice(t *testing.T) {
	s := source{matrix: {Shape: []int{1, 32}, Type: "Q8", Bytes: make([]byte, 36)}}
	if _, err := New(s, tensor.Q4, false); err == nil {
		t.Error("weights of Q8 became Q4")
	}
	if _, err := New(s, tensor.Q8, false); err != nil {
		t.Error(err)
	}
	s = source{matrix: {Shape: []int{1, 256}, Type: "Q6_K", Bytes: make([]byte, 210)}}
	if _, err := New(s, tensor.Q8, false); err == nil {
		t.Error("weights of Q6_K became Q8")
	}
}

// TestScaledSource: a scale of what is converted is in the numbers, and no more
// beside them.
func TestScaledSource(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	from := checkpoint.Raw{Shape: []int{40, 256}, Type: "F8_E4M3", Scale: 0.0125, Bytes: make([]byte, 40*256)}
	for i := range from.Bytes {
		from.Bytes[i] = f8(float32(random.NormFloat64()))
	}
	want, err := checkpoint.Floats(from)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(source{matrix: from}, tensor.Q4, false)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := s.Tensor(matrix)
	if e := difference(want, read(t, raw, tensor.Q4)); raw.Type != "Q4" || raw.Scale != 0 || !(e < 0.11) {
		t.Errorf("became %s with the scale %v, relative error %.3f", raw.Type, raw.Scale, e)
	}
}

// TestZeros gives rows of zeros no scale, and no NaN.
func TestZeros(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Q8, tensor.Q4} {
		s, _ := New(source{matrix: floats([]int{2, 64}, make([]float32, 128))}, d, false)
		raw, _ := s.Tensor(matrix)
		for i, v := range read(t, raw, d) {
			if v != 0 {
				t.Fatalf("%v: element %d is %g", d, i, v)
			}
		}
	}
}
