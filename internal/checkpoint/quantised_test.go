package checkpoint

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/tensor"
)

// TestQuantisedFile writes and reads rows of integers beside other tensors.
func TestQuantisedFile(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Q8, tensor.Q4} {
		data := make([]byte, 3*d.RowBytes(96))
		for i := range data {
			data[i] = byte(i)
		}
		path := filepath.Join(t.TempDir(), "q.safetensors")
		err := Write(path, []Tensor{
			{"a.weight", Raw{Shape: []int{3, 96}, Type: d.String(), Bytes: data}},
			FromFloats("a.bias", []int{3}, []float32{1, 2, 3}),
		}, map[string]string{"k": "v"})
		if err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, _ := f.Tensor("a.weight")
		if got.Type != d.String() || !slices.Equal(got.Shape, []int{3, 96}) || !bytes.Equal(got.Bytes, data) {
			t.Errorf("%v came back as %s %v", d, got.Type, got.Shape)
		}
		if bias, _ := f.Tensor("a.bias"); bias.Type != "F32" || f.Metadata()["k"] != "v" {
			t.Errorf("beside it is %s, metadata %v", bias.Type, f.Metadata())
		}
	}
}

// TestBadQuantisedFile refuses rows that are none, and formats of the future.
func TestBadQuantisedFile(t *testing.T) {
	for format, want := range map[string]string{"Q8": "rows of 99 bytes", "Q3": `unknown format "Q3"`, "F32": `unknown format "F32"`} {
		var file bytes.Buffer
		list := []Tensor{{"a", Raw{Shape: []int{1, 99}, Type: "U8", Bytes: make([]byte, 99)}}}
		if err := WriteTo(&file, list, map[string]string{quantisedKey: format}); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBytes("x", file.Bytes()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", format, err, want)
		}
	}
}
