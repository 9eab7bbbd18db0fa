package checkpoint_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"taca/internal/checkpoint"
)

// writeLarge makes a component's file of more bytes than are hashed as a whole,
// all but the first tensor's first byte a hole.
func writeLarge(t *testing.T, path string, first byte) {
	t.Helper()
	const bytes = 40 << 20
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	head := `{"x":{"dtype":"U8","shape":[41943040],"data_offsets":[0,41943040]}}     `
	if _, err := f.Write(append([]byte{byte(len(head)), 0, 0, 0, 0, 0, 0, 0}, head...)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte{first}); err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(int64(8 + len(head) + bytes)); err != nil {
		t.Fatal(err)
	}
}

// fingerprint is that of the folder's model, seen so long after now.
func fingerprint(t *testing.T, dir string, later time.Duration) (sum [32]byte, ok bool) {
	t.Helper()
	folder, err := checkpoint.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	set, err := folder.Weights("model")
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	return set.Fingerprint(time.Now().Add(later))
}

// later is when a large file that was changed just now is believed.
const later = 3 * time.Second

func TestFingerprintOfLargeFiles(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	writeLarge(t, path, 1)
	if _, ok := fingerprint(t, dir, 0); ok {
		t.Error("a file that was changed just now is believed")
	}
	was, ok := fingerprint(t, dir, later)
	if again, _ := fingerprint(t, dir, 2*later); !ok || again != was {
		t.Errorf("the same file has two fingerprints (%v)", ok)
	}
	differs := func(dir, what string) {
		t.Helper()
		now, ok := fingerprint(t, dir, later)
		if !ok || now == was {
			t.Errorf("%s: the fingerprint is the same (%v)", what, ok)
		}
		was = now
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	keepTime := func(path string) {
		t.Helper()
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}

	time.Sleep(20 * time.Millisecond) // a tick of the file system's clock
	overwrite(t, path, 20<<20+12345, 1)
	keepTime(path)
	differs(dir, "overwritten in place between the samples, mtime and size kept")

	copied := filepath.Join(other, "model.safetensors")
	writeLarge(t, copied, 2)
	keepTime(copied)
	differs(other, "copied, mtime kept")
}

// TestFingerprintSamples: where the file system does not tell, as Linux's tmpfs
// where memory is mapped, some of the pages do.
func TestFingerprintSamples(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "taca-test")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "model.safetensors")
	writeLarge(t, path, 1)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(data); err != nil {
			t.Error(err)
		}
	}()
	was, _ := fingerprint(t, dir, later)
	for _, at := range []int{8 + 72, len(data) - 1, 80 + (len(data)-80-4096)*7/15} {
		data[at]++
		now, ok := fingerprint(t, dir, later)
		if !ok || now == was {
			t.Errorf("byte %d of %d was changed, and the fingerprint is the same (%v)", at, len(data), ok)
		}
		was = now
	}
}

// overwrite writes one byte at a place of an existing file.
func overwrite(t *testing.T, path string, at int64, b byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{b}, at); err != nil {
		t.Fatal(err)
	}
}

// TestFingerprintOfSmallFiles: it is their content, wherever they are and
// whenever they were written.
func TestFingerprintOfSmallFiles(t *testing.T) {
	dir, twin := t.TempDir(), t.TempDir()
	x := checkpoint.FromFloats("x", []int{2}, []float32{1, 2})
	for _, d := range []string{dir, twin} {
		if err := checkpoint.Write(filepath.Join(d, "model.safetensors"), []checkpoint.Tensor{x}, nil); err != nil {
			t.Fatal(err)
		}
	}
	was, ok := fingerprint(t, dir, 0)
	if copied, _ := fingerprint(t, twin, 0); !ok || copied != was {
		t.Errorf("a copy has another fingerprint (%v)", ok)
	}
	path := filepath.Join(dir, "model.safetensors")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path, info.Size()-1, 0x3f)
	if now, ok := fingerprint(t, dir, 0); !ok || now == was {
		t.Errorf("one bit was changed, and the fingerprint is the same (%v)", ok)
	}
}

// TestFingerprintOfShards: each counts.
func TestFingerprintOfShards(t *testing.T) {
	seen := map[[32]byte]bool{}
	for _, second := range []float32{2, 3} {
		dir := t.TempDir()
		write := func(name, tensor string, v float32) {
			if err := checkpoint.Write(filepath.Join(dir, name), []checkpoint.Tensor{checkpoint.FromFloats(tensor, []int{1}, []float32{v})}, nil); err != nil {
				t.Fatal(err)
			}
		}
		write("a.safetensors", "a", 1)
		write("b.safetensors", "b", second)
		index, err := os.Create(filepath.Join(dir, "model.safetensors.index.json"))
		if err == nil {
			_, err = io.WriteString(index, `{"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}}`)
			_ = index.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		sum, ok := fingerprint(t, dir, 0)
		if !ok || seen[sum] {
			t.Errorf("the second shard does not count (%v)", ok)
		}
		seen[sum] = true
	}
}
