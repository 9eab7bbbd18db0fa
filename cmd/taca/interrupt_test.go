package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program is this test binary run as taca.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// testscript.Main makes a binary called taca behave as taca.
	name := filepath.Join(t.TempDir(), "taca")
	if err := os.Symlink(self, name); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(name, args...)
	c.Dir = dir
	return c
}

// TestInterrupt: a signal in the middle ends the run with 128 plus its number,
// keeps what is finished and leaves nothing half-written.
func TestInterrupt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := t.TempDir()
		c := program(t, dir, "generate", "-p", "a blue cube", "-W", "128", "-H", "128", "--steps", "3", "-n", "1000", "-o", "{index}.png")
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, "1.png")); err == nil {
				break
			}
			if time.Now().After(deadline) {
				_ = c.Process.Kill()
				t.Fatal("no picture in a minute")
			}
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		var exit *exec.ExitError
		if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 128+int(sig) {
			t.Errorf("%v: the program ended with %v, want exit code %d", sig, err, 128+int(sig))
		}
		if !strings.Contains(stderr.String(), "interrupted; nothing half-written is left") {
			t.Errorf("%v: it said %q", sig, stderr.String())
		}
		finished := strings.Fields(stdout.String())
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != len(finished) {
			t.Errorf("%v: %d files for %d pictures told (%v)", sig, len(files), len(finished), err)
		}
	}
}

// TestFullDisk: the error says so, and nothing is left behind.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8k"); err != nil {
		t.Skipf("a small disk cannot be mounted (%v): needs root", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	}()
	c := program(t, os.TempDir(), "generate", "-p", "a blue cube", "--steps", "1", "-o", filepath.Join(dir, "x.png"))
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitOther {
		t.Errorf("the program ended with %v, want exit code %d", err, exitOther)
	}
	if !strings.Contains(string(out), "no space left on device: free some space or choose another place") {
		t.Errorf("it said %q", out)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}
