package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"taca/internal/checkpoint"
)

// begun starts taca convert, and waits until it writes.
func begun(t *testing.T, dir, to string, args ...string) (wait func() error, signal func(os.Signal) error, stderr *bytes.Buffer) {
	t.Helper()
	c := program(t, dir, append(append([]string{"convert"}, args...), to)...)
	stderr = &bytes.Buffer{}
	c.Stderr = stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, to+".partial")); err == nil {
			return c.Wait, c.Process.Signal, stderr
		}
		if time.Now().After(deadline) {
			_ = c.Process.Kill()
			t.Fatalf("nothing was written in a minute: %s", stderr)
		}
	}
}

// largeFile is a transformer of 80 MiB of zeros.
func largeFile(t *testing.T, dir string) {
	t.Helper()
	var all []checkpoint.Tensor
	for _, name := range []string{"single_transformer_blocks.0.attn.to_q.weight", "single_transformer_blocks.0.attn.to_k.weight", "single_transformer_blocks.0.attn.to_v.weight", "single_transformer_blocks.0.proj_mlp.weight", "x_embedder.weight"} {
		all = append(all, checkpoint.FromFloats(name, []int{2048, 2048}, make([]float32, 2048*2048)))
	}
	if err := checkpoint.Write(filepath.Join(dir, "large.safetensors"), all, nil); err != nil {
		t.Fatal(err)
	}
}

// TestConvertKilled: killed without warning at random moments, convert leaves
// nothing under the name that was asked for, and the same command works afterwards
// and removes what was left.
func TestConvertKilled(t *testing.T) {
	pause := rand.New(rand.NewPCG(9, 10))
	for to, args := range map[string][]string{
		"out.safetensors": {"-m", "large.safetensors"},
		"out":             {"--weights", "q4"},
	} {
		dir := t.TempDir()
		largeFile(t, dir)
		halves := 0
		for range 8 {
			wait, signal, _ := begun(t, dir, to, args...)
			time.Sleep(time.Duration(pause.IntN(60)) * time.Millisecond)
			_ = signal(syscall.SIGKILL) // it may have ended
			_ = wait()
			if _, err := os.Stat(filepath.Join(dir, to+".partial")); err != nil { // it was faster
				if err := os.RemoveAll(filepath.Join(dir, to)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			halves++
			if _, err := os.Stat(filepath.Join(dir, to)); err == nil {
				if entries, _ := os.ReadDir(filepath.Join(dir, to+".partial")); len(entries) > 0 {
					t.Errorf("%s is there, and so is a half of it", to)
				}
				if err := os.RemoveAll(filepath.Join(dir, to)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if halves == 0 {
			t.Errorf("%s was never seen half-made", to)
		}
		if out, err := program(t, dir, append(append([]string{"convert"}, args...), to)...).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
			t.Errorf("there are %v", left)
		}
		if out, err := program(t, dir, "inspect", to).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestConvertInterrupted: Ctrl-C ends a conversion with its code and leaves
// nothing.
func TestConvertInterrupted(t *testing.T) {
	dir := t.TempDir()
	largeFile(t, dir)
	wait, signal, stderr := begun(t, dir, "out.safetensors", "-m", "large.safetensors", "--weights", "q4")
	if err := signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err == nil || !strings.Contains(stderr.String(), "interrupted; nothing half-written is left") {
		t.Errorf("it ended with %v and said %q", err, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("there are %v", left)
	}
}
