package checkpoint_test

import (
	"bytes"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
)

// one is a tensor of F32.
func one(name string, shape []int, values ...float32) checkpoint.Tensor {
	return checkpoint.FromFloats(name, shape, values)
}

// words is a tensor of bytes.
func words(name, text string) checkpoint.Tensor {
	return checkpoint.Tensor{Name: name, Raw: checkpoint.Raw{Shape: []int{len(text)}, Type: "U8", Bytes: []byte(text)}}
}

// eight is a weight of 1, 2 and -0.5 in F8_E4M3.
func eight(name string) checkpoint.Tensor {
	return checkpoint.Tensor{Name: name, Raw: checkpoint.Raw{Shape: []int{1, 3}, Type: "F8_E4M3", Bytes: []byte{0x38, 0x40, 0xb0}}}
}

func reopen(t *testing.T, tensors []checkpoint.Tensor, metadata map[string]string) (*checkpoint.File, error) {
	t.Helper()
	var b bytes.Buffer
	if err := checkpoint.WriteTo(&b, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	return checkpoint.OpenBytes("x", b.Bytes())
}

// TestScalesBelongToWeights: both spellings are read, and leave only weights.
func TestScalesBelongToWeights(t *testing.T) {
	marker := checkpoint.Tensor{Name: "model.diffusion_model.scaled_fp8", Raw: checkpoint.Raw{Shape: []int{0}, Type: "F8_E4M3"}}
	for what, tensors := range map[string][]checkpoint.Tensor{
		"old":  {marker, eight("a.weight"), one("a.scale_weight", nil, 0.25), one("a.scale_input", []int{1}, 3), eight("b.weight"), one("a.bias", []int{1}, 1)},
		"bare": {one("scaled_fp8", []int{2}, 0, 0), eight("a.weight"), one("a.scale_weight", []int{1}, 0.25), eight("b.weight"), one("a.bias", []int{1}, 1)},
		"new":  {eight("a.weight"), one("a.weight_scale", nil, 0.25), one("a.input_scale", nil, 3), words("a.comfy_quant", `{"format":"float8_e4m3fn"}`), eight("b.weight"), one("a.bias", []int{1}, 1)},
	} {
		f, err := reopen(t, tensors, map[string]string{"_quantization_metadata": `{"layers":{"a":{"format":"float8_e4m3fn"}}}`})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(slices.Values(f.Names())); !slices.Equal(got, []string{"a.bias", "a.weight", "b.weight"}) {
			t.Errorf("%s: tensors %v", what, got)
		}
		for name, want := range map[string][]float32{"a.weight": {0.25, 0.5, -0.125}, "b.weight": {1, 2, -0.5}} {
			raw, _ := f.Tensor(name)
			if got, err := checkpoint.Floats(raw); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %s is %v (%v), want %v", what, name, got, err, want)
			}
		}
	}
}

// TestScalesAreWritten beside the weights they belong to.
func TestScalesAreWritten(t *testing.T) {
	weight := eight("a.weight")
	weight.Scale = 0.37
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := checkpoint.Write(path, []checkpoint.Tensor{weight, eight("b.weight")}, nil); err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, _ := f.Tensor("a.weight")
	b, _ := f.Tensor("b.weight")
	if a.Scale != 0.37 || b.Scale != 0 || !slices.Equal(f.Names(), []string{"a.weight", "b.weight"}) {
		t.Errorf("scales %v and %v of %v", a.Scale, b.Scale, f.Names())
	}
}

// TestOtherScalesAreRefused, each by its name.
func TestOtherScalesAreRefused(t *testing.T) {
	for want, tensors := range map[string][]checkpoint.Tensor{
		`"a.weight_scale" holds 2 scales of one weight`: {eight("a.weight"), one("a.weight_scale", []int{2, 1}, 1, 1)},
		`the impossible scale NaN`:                      {eight("a.weight"), one("a.scale_weight", nil, float32(math.NaN()))},
		`is a second scale of one weight`:               {eight("a.weight"), one("a.scale_weight", nil, 1), one("a.weight_scale", nil, 1)},
		`the impossible scale 0`:                        {eight("a.weight"), one("a.scale_weight", nil, 0)},
		`scales weights of U8, which is not read`:       {words("a.weight", "abc"), one("a.weight_scale", nil, 1)},
		`layer "a" is quantised as "nvfp4"`:             {words("a.weight", "abc"), one("a.weight_scale", []int{2}, 1, 1), words("a.comfy_quant", `{"format":"nvfp4"}`)},
		`"a.comfy_quant" is no JSON`:                    {eight("a.weight"), words("a.comfy_quant", `{"form`)},
		`"a.scale_weight": numbers of format U8`:        {eight("a.weight"), words("a.scale_weight", "1")},
	} {
		if _, err := reopen(t, tensors, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if _, err := reopen(t, nil, map[string]string{"_quantization_metadata": `{"layers":{"b":{"format":"mxfp8"}}}`}); err == nil || !strings.Contains(err.Error(), `layer "b" is quantised as "mxfp8"`) {
		t.Errorf("metadata: %v", err)
	}
}
