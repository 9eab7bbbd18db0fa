package main

import (
	"bytes"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sweepArgs is a sweep of small cells.
func sweepArgs(out string, more ...string) []string {
	return append([]string{"sweep", "--gamma", "1:1.2:0.1", "--seed", "0:3", "-p", "a blue cube", "-p", "a green cone",
		"--steps", "2", "--gamma-steps", "1", "-W", "64", "-H", "64", "--out", out}, more...)
}

// sweepFiles are a sweep's files by name, without what tells how long they took.
func sweepFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	times := regexp.MustCompile(`,"seconds":\{[^}]*\}|(?m)^<script id="times".*$`)
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, root)] = string(times.ReplaceAll(data, nil))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func sameFiles(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is not as in an unbroken run", name)
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s should not be there", name)
		}
	}
}

// finishedCells are the pictures in a folder; each must be whole, and be the
// very file that it was before, if it was there.
func finishedCells(t *testing.T, dir string, before map[string]os.FileInfo) map[string]os.FileInfo {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "cells", "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]os.FileInfo{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(data)); err != nil {
			t.Errorf("%s is half-written: %v", path, err)
		}
		if now[path], err = os.Stat(path); err != nil {
			t.Fatal(err)
		}
		if old := before[path]; old != nil && (!os.SameFile(old, now[path]) || !old.ModTime().Equal(now[path].ModTime())) {
			t.Errorf("%s was painted again", path)
		}
	}
	for path := range before {
		if now[path] == nil {
			t.Errorf("%s has gone", path)
		}
	}
	return now
}

// TestKilled: a sweep that is killed at 50 random moments and gone on with
// leaves nothing half-written, paints no cell twice, and ends with the bytes of
// one that was never broken.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a sweep 50 times, which takes half a minute")
	}
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	begun := time.Now()
	if out, err := program(t, dir, sweepArgs(whole)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	length := time.Since(begun)
	want := sweepFiles(t, whole)

	seed := uint64(time.Now().UnixNano())
	t.Logf("moments of seed %d, a whole sweep takes %v", seed, length)
	random := rand.New(rand.NewPCG(seed, 0))
	broken, amid := filepath.Join(dir, "broken"), 0
	var cells map[string]os.FileInfo
	for range 50 {
		c := program(t, dir, sweepArgs(broken)...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// Most of a process's life is before the first of its cells.
		time.Sleep(time.Duration(random.Int64N(int64(length))))
		_ = c.Process.Signal(syscall.SIGKILL)
		_ = c.Wait()
		n := len(cells)
		cells = finishedCells(t, broken, cells)
		if len(cells) > n && len(cells) < 24 {
			amid++
		}
		if _, err := os.Stat(filepath.Join(broken, "report.html")); err == nil { // it was done: break the next
			sameFiles(t, without(sweepFiles(t, broken), ".taca-"), want)
			if err := os.RemoveAll(broken); err != nil {
				t.Fatal(err)
			}
			cells = nil
		}
	}
	t.Logf("%d of 50 were killed amid the cells", amid)
	if amid < 5 {
		t.Error("the moments hit nothing")
	}
	if out, err := program(t, dir, sweepArgs(broken)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	finishedCells(t, broken, cells)
	sameFiles(t, sweepFiles(t, broken), want)

	out, err := program(t, dir, sweepArgs(broken)...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0 of 24 cells painted, 24 were there") {
		t.Errorf("once more: %s (%v)", out, err)
	}
}

// without leaves out the files whose name holds part: what a killed run was
// writing when it had all cells.
func without(files map[string]string, part string) map[string]string {
	for name := range files {
		if strings.Contains(name, part) {
			delete(files, name)
		}
	}
	return files
}

// TestSweepInterrupted: Ctrl-C and SIGTERM end it with 128 plus their number,
// and the same command goes on.
func TestSweepInterrupted(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		dir := t.TempDir()
		c := program(t, dir, "sweep", "--gamma", "1:2:0.001", "-p", "a blue cube", "--steps", "2", "-W", "64", "-H", "64", "--out", "s")
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if found, _ := filepath.Glob(filepath.Join(dir, "s/cells/p*")); len(found) > 2 {
				break
			}
			if time.Now().After(deadline) {
				_ = c.Process.Kill()
				t.Fatalf("no cells in a minute: %s", stderr.String())
			}
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if code := c.ProcessState.ExitCode(); code != 128+int(sig) {
			t.Errorf("%v: exit code %d, want %d", sig, code, 128+int(sig))
		}
		for _, want := range []string{"cells are left: the same command goes on", "interrupted; nothing half-written is left"} {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%v: it said %q, want %q", sig, stderr.String(), want)
			}
		}
		for name := range sweepFiles(t, filepath.Join(dir, "s")) {
			if strings.Contains(name, ".taca-") {
				t.Errorf("%v: %s is left", sig, name)
			}
		}
	}
}
