package convert_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/convert"
	"taca/internal/dialect"
	"taca/internal/mapping"
	"taca/internal/tensor"
)

// sparse writes a safetensors file of zeros that take no room on the disk.
func sparse(t *testing.T, tensors map[string][]int) string {
	t.Helper()
	head, at := map[string]any{}, int64(0)
	for name, shape := range tensors {
		bytes := int64(4 * checkpoint.Raw{Shape: shape}.Elements())
		head[name] = map[string]any{"dtype": "F32", "shape": shape, "data_offsets": []int64{at, at + bytes}}
		at += bytes
	}
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sparse.safetensors")
	begin := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := errors.Join(os.WriteFile(path, begin, 0o666), os.Truncate(path, int64(len(begin))+at)); err != nil {
		t.Fatal(err)
	}
	return path
}

// memory is a line of the process's status, in bytes.
func memory(t *testing.T, key string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); fields[0] == key+":" {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s", key)
	return 0
}

// TestMemory: of a tensor of 128 MiB that stays as it is, and of one of 256 that
// is converted, no more than a few pieces are in memory at once, the file's pages
// included. Sizes of models have no part in it: one tensor follows the other.
func TestMemory(t *testing.T) {
	const wide, most = 4096, 48 << 20
	file, err := checkpoint.OpenFile(sparse(t, map[string][]int{
		"context_embedder.weight":                   {8192, wide},
		"transformer_blocks.0.ff.net.0.proj.weight": {16384, wide},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
		t.Fatal(err)
	}
	before, q8 := memory(t, "VmRSS"), tensor.Q8
	parts := []dialect.Component{{Source: file, Kind: dialect.FLUXTransformer}}
	told := 0
	seen := func(done, total int) {
		if told++; done > total || total != 24576*4*wide {
			t.Errorf("%d of %d bytes were told", done, total)
		}
	}
	written, err := convert.File(context.Background(), filepath.Join(t.TempDir(), "out.safetensors"), parts, &q8, seen)
	if want := 8192*4*wide + 16384*tensor.Q8.RowBytes(wide); err != nil || written != want {
		t.Fatalf("%d bytes were written, want %d (%v)", written, want, err)
	}
	if told != 2 {
		t.Errorf("told %d times of two tensors", told)
	}
	grown := memory(t, "VmHWM") - before
	t.Logf("%d MiB", grown>>20)
	if grown > most {
		t.Errorf("memory grew by %d MiB, want at most %d", grown>>20, most>>20)
	}
}

// TestWhole: what is written appears whole or not at all, whoever was there
// before.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	path, failed := filepath.Join(dir, "out"), errors.New("it broke")
	entries := func() (names []string) {
		found, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			names = append(names, e.Name())
		}
		return names
	}
	write := func(text string, err error) func(string) error {
		return func(place string) error {
			if filepath.Dir(place) != path+".partial" {
				t.Errorf("it is written at %s", place)
			}
			return errors.Join(os.WriteFile(place, []byte(text), 0o666), err)
		}
	}
	if err := convert.Whole(path, write("half", failed)); !errors.Is(err, failed) || len(entries()) > 0 {
		t.Errorf("after an error (%v): %v", err, entries())
	}
	if err := errors.Join(os.Mkdir(path+".partial", 0o777), os.Mkdir(path+".partial/out", 0o777), os.WriteFile(path+".partial/out/old", nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	err := convert.Whole(path, func(place string) error {
		var busy *convert.Busy
		if err := convert.Whole(path, write("other", nil)); !errors.As(err, &busy) {
			t.Errorf("two at once: error %v", err)
		}
		return write("whole", nil)(place)
	})
	if text, _ := os.ReadFile(path); err != nil || string(text) != "whole" || !slices.Equal(entries(), []string{"out"}) {
		t.Errorf("%q and %v (%v)", text, entries(), err)
	}
	if err := convert.Whole(path, write("again", nil)); !errors.Is(err, fs.ErrExist) || !slices.Equal(entries(), []string{"out"}) {
		t.Errorf("over another: error %v, %v", err, entries())
	}
}

// TestWordless: blocks have no word in safetensors, and nothing is begun.
func TestWordless(t *testing.T) {
	file, err := checkpoint.OpenFile("../gguf/testdata/formats.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	dir, bf16 := t.TempDir(), tensor.BF16
	var wordless *convert.Wordless
	if _, err := convert.Component(context.Background(), filepath.Join(dir, "a"), file, nil, func(int, int) {}); !errors.As(err, &wordless) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	path := filepath.Join(dir, "b.safetensors")
	if _, err := convert.Component(context.Background(), path, file, &bf16, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	out, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for _, name := range file.Names() {
		from, _ := file.Tensor(name)
		to, ok := out.Tensor(name)
		if d, _ := tensor.ParseDType(from.Type); !ok || !slices.Equal(to.Shape, from.Shape) || d.Quantised() != (to.Type != from.Type) {
			t.Errorf("%s of %s %v became %s %v", name, from.Type, from.Shape, to.Type, to.Shape)
		}
	}
}

// TestStops where it is told to, and leaves nothing.
func TestStops(t *testing.T) {
	file, err := checkpoint.OpenFile(sparse(t, map[string][]int{"a": {1 << 20}}))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cause := fmt.Errorf("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	dir := t.TempDir()
	if _, err := convert.Component(ctx, filepath.Join(dir, "a"), file, nil, func(int, int) {}); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestChanged: a file that is cut short while it is converted is an error, and
// nothing is written, however soon after it is closed.
func TestChanged(t *testing.T) {
	path := sparse(t, map[string][]int{"a": {4096}, "b": {4096}})
	file, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "to")
	err = convert.Whole(to, func(place string) error {
		defer file.Close()
		_, err := convert.Component(context.Background(), place, file, nil, func(int, int) {
			if err := os.Truncate(path, 100); err != nil {
				t.Error(err)
			}
		})
		return err
	})
	var changed *mapping.Changed
	if !errors.As(err, &changed) || changed.Path != path {
		t.Errorf("error %v, want a changed file", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was written: %v", err)
	}
}
