package cpu_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/cpu"
	"taca/internal/mapping"
	"taca/internal/tensor"
)

// TestFileCutShortWithinC: weights that C is reading when their file is cut
// short are an error which names it. In a process of its own, which would end if
// they were not.
func TestFileCutShortWithinC(t *testing.T) {
	const variable = "TACA_TEST_CUT_SHORT"
	if path := os.Getenv(variable); path != "" {
		cutShort(t, path)
		return
	}
	path := filepath.Join(t.TempDir(), "weights")
	run := append(strings.Fields(os.Getenv("TACA_TEST_EXEC")), os.Args[0], "-test.run=^TestFileCutShortWithinC$")
	child := exec.Command(run[0], run[1:]...)
	child.Env = append(os.Environ(), variable+"="+path)
	out, err := child.CombinedOutput()
	if want := path + ": it was cut short while it was in use"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v, want %q in\n%s", err, want, out)
	}
}

// cutShort multiplies by weights of a file, and again when it has lost them.
func cutShort(t *testing.T, path string) {
	const rows, cols = 1024, 512
	one := []byte{0x80, 0x3f} // in BF16
	if err := os.WriteFile(path, bytes.Repeat(one, rows*cols), 0o600); err != nil {
		t.Fatal(err)
	}
	disk, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := mapping.Map(disk, len(one)*rows*cols)
	if err != nil {
		t.Fatal(err)
	}
	b, err := cpu.Open(2)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	w, err := b.NewGroup().Bind(file.Bytes(), rows, cols, tensor.BF16)
	if err != nil {
		t.Fatal(err)
	}
	x, dst := b.Scratch(64, cols, tensor.F32), b.Scratch(64, rows, tensor.F32)
	ones, got := make([]float32, 64*cols), make([]float32, 64*rows)
	for i := range ones {
		ones[i] = 1
	}
	b.Upload(x, ones)
	multiply := func() float32 {
		b.Linear(dst, x, w, tensor.Tensor{}, tensor.Identity)
		b.Download(got, dst)
		return got[len(got)-1]
	}
	if v := multiply(); v != cols || b.Err() != nil {
		t.Fatalf("%v (%v), want %d", v, b.Err(), cols)
	}
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	if v := multiply(); v != 0 {
		t.Errorf("%v: C did not read weights that are gone", v)
	}
	var changed *mapping.Changed
	if !errors.As(b.Err(), &changed) {
		t.Errorf("error %v", b.Err())
	}
	fmt.Println(b.Err())
}
