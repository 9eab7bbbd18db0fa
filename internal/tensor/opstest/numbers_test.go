package opstest

import (
	"bytes"
	"math"
	"testing"

	"taca/internal/tensor"
)

// TestDecode has numbers from the formats' definitions.
func TestDecode(t *testing.T) {
	for _, c := range []struct {
		d    tensor.DType
		raw  []byte
		want float64
	}{
		{tensor.F32, []byte{0x00, 0x00, 0x80, 0xBF}, -1},
		{tensor.F32, []byte{0x01, 0x00, 0x00, 0x00}, 0x1p-149},
		{tensor.BF16, []byte{0xC0, 0x3F}, 1.5},
		{tensor.BF16, []byte{0x01, 0x00}, 0x1p-133},
		{tensor.F16, []byte{0x00, 0x3C}, 1},
		{tensor.F16, []byte{0xFF, 0x7B}, 65504},
		{tensor.F16, []byte{0x01, 0x80}, -0x1p-24},
		{tensor.F16, []byte{0x00, 0xFC}, math.Inf(-1)},
		{tensor.F16, []byte{0x01, 0x7C}, math.NaN()},
		{tensor.F8E4M3, []byte{0x38}, 1},
		{tensor.F8E4M3, []byte{0x7E}, 448},
		{tensor.F8E4M3, []byte{0x81}, -0x1p-9},
		{tensor.F8E4M3, []byte{0x08}, 0x1p-6},
		{tensor.F8E4M3, []byte{0xFF}, math.NaN()},
	} {
		if got := decode(c.d, c.raw, 0); deviation(got, c.want) != 0 {
			t.Errorf("%v %x is %v, want %v", c.d, c.raw, got, c.want)
		}
	}
}

// TestEncode turns every number of the narrow formats to bytes and back.
func TestEncode(t *testing.T) {
	for _, d := range []tensor.DType{tensor.BF16, tensor.F16, tensor.F8E4M3} {
		for i := range 1 << (8 * d.Size()) {
			raw := []byte{byte(i), byte(i >> 8)}[:d.Size()]
			v := decode(d, raw, 0)
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			if again := encode(d, []float64{v}); !bytes.Equal(again, raw) {
				t.Fatalf("%v %x is %v, which becomes %x", d, raw, v, again)
			}
		}
	}
}

// TestRound puts numbers between each two neighbours of a format: round must
// choose the nearer, and the even one of a tie.
func TestRound(t *testing.T) {
	for d, last := range map[tensor.DType]int{tensor.BF16: 0x7F7F, tensor.F16: 0x7BFF, tensor.F8E4M3: 0x7E} {
		for i := range last {
			lo := decode(d, []byte{byte(i), byte(i >> 8)}, 0)
			hi := decode(d, []byte{byte(i + 1), byte((i + 1) >> 8)}, 0)
			even := lo
			if i%2 == 1 {
				even = hi
			}
			for between, want := range map[float64]float64{lo: lo, lo + (hi-lo)*0.49: lo, lo + (hi-lo)/2: even, lo + (hi-lo)*0.51: hi} {
				if got := round(d, between); got != want {
					t.Fatalf("%v: %v becomes %v, want %v", d, between, got, want)
				}
				if got := round(d, -between); got != -want {
					t.Fatalf("%v: %v becomes %v, want %v", d, -between, got, -want)
				}
			}
		}
	}
	if v := round(tensor.BF16, 0x1.FFp127); !math.IsInf(v, 1) {
		t.Errorf("a BF16 of 0x1.FFp127 is %v, want infinity", v)
	}
	if v := round(tensor.F32, 1e39); !math.IsInf(v, 1) {
		t.Errorf("an F32 of 1e39 is %v, want infinity", v)
	}
}
