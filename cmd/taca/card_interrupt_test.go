//go:build cuda

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCardInterrupt: Ctrl-C in the middle of a run on the card ends it with
// 130, keeps what is finished, and gives the device back.
func TestCardInterrupt(t *testing.T) {
	dir := t.TempDir()
	c := program(t, dir, "generate", "-p", "a blue cube", "-W", "128", "-H", "128", "--device", "cuda", "--steps", "2", "-n", "1000", "-o", "{index}.png")
	c.Env = append(os.Environ(), "LD_LIBRARY_PATH="+simulated(t), "TACASIM_LEAKS="+filepath.Join(dir, "leaks.json"))
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, "0.png")); err == nil {
			break
		}
		if time.Now().After(deadline) {
			_ = c.Process.Kill()
			t.Fatal("no picture in three minutes")
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 128+int(syscall.SIGINT) {
		t.Errorf("the program ended with %v, want exit code 130", err)
	}
	report, err := os.ReadFile(filepath.Join(dir, "leaks.json"))
	if err != nil || !strings.HasPrefix(string(report), `{"bytes":0,`) {
		t.Errorf("the device was left with %s (%v)", report, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
