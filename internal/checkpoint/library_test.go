package checkpoint_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"taca/internal/checkpoint"
)

// library opens what scripts/golden/checkpoint.py recorded of the safetensors
// library and of torch.
func library(t *testing.T) (f *checkpoint.File, shapes map[string][]int, widened map[string]string) {
	t.Helper()
	f, err := checkpoint.OpenFile("testdata/library.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var golden struct {
		Shapes  map[string][]int
		Widened map[string]string
	}
	if err := json.Unmarshal([]byte(f.Metadata()["golden"]), &golden); err != nil {
		t.Fatal(err)
	}
	return f, golden.Shapes, golden.Widened
}

// TestLibrarysFile has a tensor of each format, called so, full of ones.
func TestLibrarysFile(t *testing.T) {
	f, shapes, _ := library(t)
	if len(f.Names()) != len(shapes) || len(shapes) == 0 {
		t.Errorf("tensors are %v, want those of %v", f.Names(), shapes)
	}
	for name, shape := range shapes {
		raw, ok := f.Tensor(name)
		if !ok || raw.Type != name || !slices.Equal(raw.Shape, shape) {
			t.Errorf("%s is of %s %v, want %v", name, raw.Type, raw.Shape, shape)
			continue
		}
		if got, err := checkpoint.Floats(raw); err == nil && !slices.Equal(got, slices.Repeat([]float32{1}, raw.Elements())) {
			t.Errorf("%s holds %v, want ones", name, got)
		}
	}
}

// TestLibrarysFileIsWrittenAgain with the same metadata and the same bytes
// after the header, which ends at a multiple of 8.
func TestLibrarysFileIsWrittenAgain(t *testing.T) {
	f, _, _ := library(t)
	var tensors []checkpoint.Tensor
	var data []byte
	for _, name := range f.Names() {
		raw, _ := f.Tensor(name)
		tensors = append(tensors, checkpoint.Tensor{Name: name, Raw: raw})
		data = append(data, raw.Bytes...)
	}
	var b bytes.Buffer
	if err := checkpoint.WriteTo(&b, tensors, f.Metadata()); err != nil {
		t.Fatal(err)
	}
	again, err := checkpoint.OpenBytes("again", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if again.Metadata()["golden"] != f.Metadata()["golden"] {
		t.Errorf("metadata are %v", again.Metadata())
	}
	for _, want := range tensors {
		got, ok := again.Tensor(want.Name)
		if !ok || got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Bytes, want.Bytes) {
			t.Errorf("%s is %+v, want %+v", want.Name, got, want.Raw)
		}
	}
	if at := b.Len() - len(data); at%8 != 0 || !bytes.Equal(b.Bytes()[at:], data) {
		t.Errorf("the data begin at byte %d, or are others", at)
	}
}

// TestEveryValue that a small format can have is widened as torch does, and
// is non-finite where NonFinite says so.
func TestEveryValue(t *testing.T) {
	_, _, widened := library(t)
	for kind, size := range map[string]int{"F8_E4M3": 1, "F8_E5M2": 1, "F16": 2, "BF16": 2} {
		var patterns []byte
		for i := range 1 << (8 * size) {
			patterns = append(patterns, binary.LittleEndian.AppendUint16(nil, uint16(i))[:size]...)
		}
		values, err := checkpoint.Floats(checkpoint.Raw{Type: kind, Bytes: patterns})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range values {
			one := []checkpoint.Tensor{{Name: "w", Raw: checkpoint.Raw{Type: kind, Bytes: patterns[i*size:][:size]}}}
			if named := len(checkpoint.NonFinite(weights(one))) == 1; named != (v-v != 0) {
				t.Fatalf("%s pattern %#x is %v, NonFinite names it: %v", kind, i, v, named)
			}
			if v != v {
				values[i] = 7
			}
		}
		digest := sha256.New()
		if err := binary.Write(digest, binary.LittleEndian, values); err != nil {
			t.Fatal(err)
		}
		if hex.EncodeToString(digest.Sum(nil)) != widened[kind] {
			t.Errorf("%s is not widened as by torch", kind)
		}
	}
}

// weights are a Source without a file.
type weights []checkpoint.Tensor

func (w weights) Tensor(string) (checkpoint.Raw, bool) { return w[0].Raw, true }
func (w weights) Names() []string                      { return []string{w[0].Name} }
func (w weights) String() string                       { return "test" }

// TestBadTensorsAreNotWritten: what cannot be read back is refused.
func TestBadTensorsAreNotWritten(t *testing.T) {
	raw := checkpoint.Raw{Shape: []int{2}, Type: "F32", Bytes: make([]byte, 8)}
	short, unknown := raw, raw
	short.Bytes, unknown.Type = make([]byte, 7), "X32"
	for _, bad := range []checkpoint.Tensor{{Name: "__metadata__", Raw: raw}, {Name: "a", Raw: short}, {Name: "a", Raw: unknown}} {
		var b bytes.Buffer
		if err := checkpoint.WriteTo(&b, []checkpoint.Tensor{bad}, nil); err == nil || b.Len() > 0 {
			t.Errorf("%+v: error %v, %d bytes written", bad, err, b.Len())
		}
	}
}

// TestPipesAreRefused at once, not when somebody writes to them.
func TestPipesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.OpenFile(path); err == nil {
		t.Error("a pipe was mapped")
	}
}
