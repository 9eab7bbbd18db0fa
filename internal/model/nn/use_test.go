package nn

import (
	"errors"
	"slices"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/tensor"
)

// tensors is a Source of shapes.
type tensors map[string]checkpoint.Raw

func (s tensors) Tensor(name string) (checkpoint.Raw, bool) {
	raw, ok := s[name]
	return raw, ok
}
func (s tensors) Names() []string { return nil }
func (s tensors) String() string  { return "test" }

// TestFormatsByUse: a tensor whose format no verb would take is a defect of the
// file, since the verb panics.
func TestFormatsByUse(t *testing.T) {
	b := NewBinder(tensors{
		"linear.weight":  {Shape: []int{4, 64}, Type: "Q8_0", Scale: 0.5},
		"rotated.weight": {Shape: []int{4, 64}, Type: "Q8"},
		"table":          {Shape: []int{4, 256}, Type: "Q6_K"},
		"scaled":         {Shape: []int{4, 64}, Type: "F8_E4M3", Scale: 0.5},
		"rotated":        {Shape: []int{4, 64}, Type: "Q8"},
		"gain":           {Shape: []int{64}, Type: "Q8_0"},
		"bias":           {Shape: []int{64}, Type: "F8_E4M3", Scale: 0.5},
		"ragged":         {Shape: []int{4, 64}, Type: "Q6_K"},
		"picture.weight": {Shape: []int{4, 32, 3, 3}, Type: "Q8_0"},
		"picture.bias":   {Shape: []int{4}, Type: "F32"},
	}, dry.New())
	var linear, rotated Linear
	var table, scaled, none tensor.Tensor
	b.LinearNoBias(&linear, "linear", 4, 64)
	b.LinearNoBias(&rotated, "rotated", 4, 64)
	b.Matrix(&table, "table", 4, 256)
	b.Matrix(&scaled, "scaled", 4, 64)
	if linear.W.Scale != 0.5 || scaled.Scale != 0.5 || table.Scale != 0 || table.DType != tensor.Q6_K || table.Mem.Bytes() != 4*210 {
		t.Errorf("bound %v, scale %v; %v of %d bytes", linear.W, linear.W.Scale, table, table.Mem.Bytes())
	}
	b.Matrix(&none, "rotated", 4, 64)
	b.Vector(&none, "gain", 64)
	b.Vector(&none, "bias", 64)
	b.Matrix(&none, "ragged", 4, 64)
	b.Conv3x3(&none, &none, "picture", 4, 32)
	var d *Defects
	if !errors.As(b.Close(nil), &d) {
		t.Fatal("nothing was wrong")
	}
	want := []string{
		"rotated holds scaled numbers (Q8) of 64 columns, which cannot be read here",
		"gain holds scaled numbers (Q8_0) of 64 columns, which cannot be read here",
		"bias holds scaled numbers (F8_E4M3) of 64 columns, which cannot be read here",
		"ragged holds scaled numbers (Q6_K) of 64 columns, which cannot be read here",
		"picture.weight holds scaled numbers (Q8_0) of 288 columns, which cannot be read here",
	}
	if !slices.Equal(d.Misshapen, want) {
		t.Errorf("defects %q, want %q", d.Misshapen, want)
	}
}
