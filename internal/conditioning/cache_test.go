package conditioning_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"taca/internal/checkpoint"
	"taca/internal/conditioning"
)

// entry is tensors that tell i.
func entry(i int) []checkpoint.Tensor {
	return []checkpoint.Tensor{
		checkpoint.FromFloats("t5.tokens", []int{3, 5}, slices.Repeat([]float32{float32(i)}, 15)),
		checkpoint.FromFloats("clip.pooled", []int{2}, []float32{1, float32(i)}),
	}
}

func key(i int) conditioning.Key { return conditioning.Key{1: byte(i), 31: 7} }

func same(a, b []checkpoint.Tensor) bool {
	return slices.EqualFunc(a, b, func(a, b checkpoint.Tensor) bool {
		return a.Name == b.Name && a.Type == b.Type && slices.Equal(a.Shape, b.Shape) && bytes.Equal(a.Bytes, b.Bytes)
	})
}

func keep(t *testing.T, c *conditioning.Cache, i int) {
	t.Helper()
	if err := c.Keep(key(i), entry(i)); err != nil {
		t.Fatal(err)
	}
}

func holds(c *conditioning.Cache, i int) bool {
	got, ok := c.Find(key(i))
	return ok && same(got, entry(i))
}

// file is the path of the i-th entry.
func file(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("%x.safetensors", key(i))) }

func TestKeepAndFind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	c := conditioning.New(dir, conditioning.Room)
	if _, ok := c.Find(key(1)); ok {
		t.Fatal("something is found where there is no folder")
	}
	keep(t, c, 1)
	if !holds(c, 1) || holds(c, 2) {
		t.Errorf("entry 1 is there: %v, entry 2: %v", holds(c, 1), holds(c, 2))
	}
	if !holds(conditioning.New(dir, conditioning.Room), 1) {
		t.Error("the next program does not find it")
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Dir(dir): 0o700, file(dir, 1): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v (%v), want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

// TestDamage: an entry that has one bit changed, anywhere, or is cut short, or has
// the name of another is not found, and the next one kept replaces it.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	c := conditioning.New(dir, conditioning.Room)
	keep(t, c, 1)
	sound, err := os.ReadFile(file(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(file(dir, 1), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Find(key(1)); ok && !same(got, entry(1)) {
			t.Fatalf("%s: it is found as %v", what, got)
		} else if ok {
			t.Errorf("%s: it is found", what)
		}
	}
	for at := range sound {
		if sound[at] == ' ' { // of the header's padding, which JSON does not care about
			continue
		}
		data := bytes.Clone(sound)
		data[at] ^= 1
		refused(fmt.Sprintf("byte %d changed", at), data)
	}
	for n := range sound {
		refused(fmt.Sprintf("cut after %d bytes", n), sound[:n])
	}
	keep(t, c, 2)
	other, err := os.ReadFile(file(dir, 2))
	if err != nil {
		t.Fatal(err)
	}
	refused("another key's entry", other)
	keep(t, c, 1)
	if !holds(c, 1) {
		t.Error("a damaged entry is not replaced")
	}
}

// age makes entry i used so long ago.
func age(t *testing.T, dir string, i int, ago time.Duration) {
	t.Helper()
	when := time.Now().Add(-ago)
	if err := os.Chtimes(file(dir, i), when, when); err != nil {
		t.Fatal(err)
	}
}

func TestWhatWasUsedLongestAgoGoes(t *testing.T) {
	dir := t.TempDir()
	unbounded := conditioning.New(dir, conditioning.Room)
	for i := range 4 {
		keep(t, unbounded, i)
		age(t, dir, i, time.Duration(10-i)*time.Minute)
	}
	info, err := os.Stat(file(dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	mine, writing, left := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, ".taca-1-0"), filepath.Join(dir, ".taca-1-1")
	for _, path := range []string{mine, writing, left} {
		if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{mine, left} {
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	bounded := conditioning.New(dir, 3*info.Size())
	if !holds(bounded, 0) { // which marks it as used
		t.Fatal("entry 0 is not found")
	}
	keep(t, bounded, 4)
	for i, want := range []bool{true, false, false, true, true} {
		if got := holds(unbounded, i); got != want {
			t.Errorf("entry %d is there: %v, want %v", i, got, want)
		}
	}
	for path, want := range map[string]bool{mine: true, writing: true, left: false} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
	tiny := conditioning.New(dir, 1)
	keep(t, tiny, 5)
	if !holds(unbounded, 5) || holds(unbounded, 4) {
		t.Error("what is larger than the room does not replace the others")
	}
}

// TestSeveralAtOnce: whatever others keep and remove meanwhile, what is found is
// whole, and in the end all have room.
func TestSeveralAtOnce(t *testing.T) {
	dir := t.TempDir()
	keep(t, conditioning.New(dir, conditioning.Room), 0)
	info, err := os.Stat(file(dir, 0))
	if err != nil {
		t.Fatal(err)
	}
	room := 5 * info.Size()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c := conditioning.New(dir, room)
			for i := range 100 {
				n := i * 7 % 20
				if got, ok := c.Find(key(n)); ok && !same(got, entry(n)) {
					t.Errorf("entry %d is found as %v", n, got)
				} else if !ok {
					if err := c.Keep(key(n), entry(n)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	keep(t, conditioning.New(dir, room), 21)
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 5 {
		t.Errorf("%d files are left (%v), want 5", len(files), err)
	}
}

// TestUnwritable says so; nothing else happens.
func TestUnwritable(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{plain, filepath.Join(plain, "below"), "/proc/self"} {
		c := conditioning.New(dir, conditioning.Room)
		if err := c.Keep(key(1), entry(1)); err == nil || holds(c, 1) {
			t.Errorf("%s: error %v", dir, err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(file(dir, 1), 0o700); err != nil {
		t.Fatal(err)
	}
	c := conditioning.New(dir, conditioning.Room)
	if err := c.Keep(key(1), entry(1)); err == nil || holds(c, 1) {
		t.Errorf("an entry's place is a folder: error %v", err)
	}
}
