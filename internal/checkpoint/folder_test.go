package checkpoint_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"taca/internal/checkpoint"
)

// TestFolderErrors say which file, and where in it.
func TestFolderErrors(t *testing.T) {
	f := checkpoint.NewFolder(fstest.MapFS{
		"vae/config.json":    {Data: []byte("{\n \"n\": 3\n}")},
		"vae/syntax.json":    {Data: []byte("{\n \"n\": 3,\n !}")},
		"vae/kind.json":      {Data: []byte("{\n \"n\": \"three\"\n}")},
		"vae/truncated.json": {Data: []byte("{\"n\":")},
		"vae/deep.json":      {Data: []byte(strings.Repeat("[", 1<<16))},
	}, "model").Sub("vae")
	for _, c := range []struct{ file, want string }{
		{"config.json", ""},
		{"absent.json", "model/vae/absent.json: file does not exist: is this a whole diffusers folder?"},
		{"syntax.json", "model/vae/syntax.json: line 3: "},
		{"kind.json", `model/vae/kind.json: line 2: "n" is a string`},
		{"truncated.json", "model/vae/truncated.json: line 1: unexpected end"},
		{"deep.json", "exceeded max depth"},
	} {
		var into struct {
			N int `json:"n"`
		}
		err := f.ReadJSON(c.file, &into)
		var e *checkpoint.Error
		switch {
		case c.want == "":
			if err != nil || into.N != 3 {
				t.Errorf("%s: %+v (%v)", c.file, into, err)
			}
		case !errors.As(err, &e) || !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: error %v, want a *checkpoint.Error that says %q", c.file, err, c.want)
		}
	}
}

// TestFolderOnDisk maps what a folder in memory reads.
func TestFolderOnDisk(t *testing.T) {
	dir := t.TempDir()
	if _, err := checkpoint.OpenFolder(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("an absent folder: error %v", err)
	}
	sub := filepath.Join(dir, "vae")
	if err := errors.Join(os.Mkdir(sub, 0o755), os.Symlink("elsewhere", filepath.Join(dir, "dangling")),
		checkpoint.Write(filepath.Join(sub, "m.safetensors"), []checkpoint.Tensor{
			checkpoint.FromFloats("a", []int{2}, []float32{1, 2}),
			checkpoint.FromFloats("empty", []int{0, 4}, nil),
			checkpoint.FromFloats("b", nil, []float32{3}),
		}, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := checkpoint.OpenFolder(filepath.Join(sub, "m.safetensors")); err == nil || !strings.Contains(err.Error(), "is a file") {
		t.Errorf("a file as a folder: error %v", err)
	}
	f, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !f.Has("vae") || f.Has("m.safetensors") || f.Has("dangling") || !f.Sub("vae").HasWeights("m") || f.Sub("absent").HasWeights("m") {
		t.Error("Has and HasWeights do not say what is there")
	}
	s, err := f.Sub("vae").Weights("m")
	if err != nil {
		t.Fatal(err)
	}
	raw, ok := s.Tensor("b")
	if got, err := checkpoint.Floats(raw); !ok || err != nil || len(got) != 1 || got[0] != 3 || raw.Elements() != 1 {
		t.Errorf("b is %v %v (%v)", raw.Shape, got, err)
	}
	if raw, ok := s.Tensor("empty"); !ok || raw.Elements() != 0 || len(raw.Bytes) != 0 {
		t.Errorf("empty is %v, %d bytes", raw.Shape, len(raw.Bytes))
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, ok := s.Tensor("a"); ok {
		t.Error("a closed set gives windows of memory that is gone")
	}
}
