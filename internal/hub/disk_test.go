package hub

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"taca/internal/hub/hubtest"
)

// TestFullDisk: a real one, which another program fills while a pull goes on.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("taca-test", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	s := flux(t)
	p := prepare(t, config(t, s, disk), "org/flux")
	_, err := pull(p)
	fails(t, err, Disk, "are missing, and "+disk+" has 1.0 MB left")

	p = prepare(t, config(t, s, disk), "org/flux/flux1-dev.safetensors")
	other := filepath.Join(disk, "other")
	p.open = func(path string) (storage, error) {
		f, err := openStorage(path)
		return f, errors.Join(err, os.WriteFile(other, make([]byte, 500_000), 0o600))
	}
	_, err = pull(p)
	fails(t, err, Disk, "no space is left in "+disk)
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	again := prepare(t, config(t, s, disk), "org/flux/flux1-dev.safetensors")
	fetched, err := pull(again)
	if err != nil || fetched == 0 || fetched != again.Missing() || fetched == again.Bytes() {
		t.Errorf("then %d bytes came of %d missing of %d (%v)", fetched, again.Missing(), again.Bytes(), err)
	}
	holdsExactly(t, again, s.Repositories["org/flux"], []string{"flux1-dev.safetensors"})
}

// TestReadOnlyCache: what is whole is used where nothing can be written.
func TestReadOnlyCache(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("taca-test", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	s := flux(t)
	if _, err := pull(prepare(t, config(t, s, disk), "org/flux")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	p := prepare(t, config(t, s, disk), "org/flux")
	if _, err := pull(p); err != nil {
		t.Error(err)
	}
	holdsExactly(t, p, s.Repositories["org/flux"], hubtest.Needed())
	_, err := pull(prepare(t, config(t, s, disk), "org/flux/ae.safetensors"))
	fails(t, err, Disk, "read-only file system: is "+disk+" a folder that you may write?")
}
