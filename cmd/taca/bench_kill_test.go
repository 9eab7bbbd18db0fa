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

// sample is a name that the evaluators of T2I-CompBench can read.
var sample = regexp.MustCompile(`^[^_]+_\d{6}\.png$`)

// TestBenchKilled: both benches, killed at random moments and gone on with, end
// with the bytes of a run that was never broken; at no moment does anything but
// whole pictures lie where evaluators look.
func TestBenchKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills both benches 8 times, which takes a quarter of a minute")
	}
	dir := t.TempDir()
	prompts := filepath.Join(dir, "dataset")
	if err := os.MkdirAll(prompts, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prompts, "color_val.txt"), []byte("a red cube\na blue cube\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"mini":      {"bench", "mini", "-n", "2", "-W", "128", "-H", "128", "--steps", "1"},
		"compbench": {"bench", "compbench", "--prompts", prompts, "--steps", "1", "-W", "64", "-H", "64"},
	} {
		t.Run(name, func(t *testing.T) {
			whole, broken := filepath.Join(dir, name, "whole"), filepath.Join(dir, name, "broken")
			begun := time.Now()
			if out, err := program(t, dir, append(args, "--out", whole)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			length := time.Since(begun)
			seed := uint64(begun.UnixNano())
			t.Logf("moments of seed %d, a whole run takes %v", seed, length)
			random := rand.New(rand.NewPCG(seed, 0))
			for range 8 {
				c := program(t, dir, append(args, "--out", broken)...)
				if err := c.Start(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(random.Int64N(int64(length))))
				_ = c.Process.Signal(syscall.SIGKILL)
				_ = c.Wait()
				samplesAreWhole(t, broken)
			}
			if out, err := program(t, dir, append(args, "--out", broken)...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			sameFiles(t, sweepFiles(t, broken), sweepFiles(t, whole))
		})
	}
}

// samplesAreWhole looks into the folders where evaluators do.
func samplesAreWhole(t *testing.T, dir string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "samples", "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, "*", "samples", ".*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, hidden...) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := png.Decode(bytes.NewReader(data)); err != nil || !sample.MatchString(filepath.Base(path)) {
			t.Errorf("%s lies beside the pictures, or is half-written (%v)", strings.TrimPrefix(path, dir), err)
		}
	}
}
