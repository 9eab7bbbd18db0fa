package trace_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
	"taca/internal/trace"
)

// What is observed comes back from a file in the order it was observed in,
// whatever the names are; strided views come without their gaps.
func TestRecordWriteRead(t *testing.T) {
	r := trace.Record(opstest.NewReference())
	whole, err := r.New(2, 3, tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	r.Upload(whole, []float32{1, 2, 3, 4, 5, 6})
	r.Observe("z", whole)
	r.Prefix = "step01/"
	r.Observe("a", whole.ColRange(1, 2))
	want := []trace.Named{
		{Name: "z", Rows: 2, Cols: 3, Values: []float32{1, 2, 3, 4, 5, 6}},
		{Name: "step01/a", Rows: 2, Cols: 1, Values: []float32{2, 5}},
	}
	seen := r.Take()
	if !reflect.DeepEqual(seen, want) {
		t.Fatalf("recorded %v, want %v", seen, want)
	}
	if again := r.Take(); again != nil {
		t.Errorf("Take gives %v a second time", again)
	}

	path := filepath.Join(t.TempDir(), "trace.safetensors")
	if err := trace.Write(path, seen); err != nil {
		t.Fatal(err)
	}
	file, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if read, err := trace.Read(file); err != nil || !reflect.DeepEqual(read, want) {
		t.Errorf("read %v (%v), want %v", read, err, want)
	}
}

func TestReadTakesTheLastDimensionAsColumns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "latents.safetensors")
	tensors := []checkpoint.Tensor{checkpoint.FromFloats("latents", []int{1, 2, 1, 3}, make([]float32, 6))}
	if err := checkpoint.Write(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	file, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if read, err := trace.Read(file); err != nil || read[0].Rows != 2 || read[0].Cols != 3 {
		t.Errorf("read %+v (%v), want 2×3", read, err)
	}
}
