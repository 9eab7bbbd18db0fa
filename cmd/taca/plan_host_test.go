package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"taca/internal/demo"
)

// TestResidentPeak follows blocks of 5, 3, 4 and 2 bytes through memory.
func TestResidentPeak(t *testing.T) {
	blocks := []int{5, 3, 4, 2}
	all, some, none := []bool{true, true, true, true}, []bool{true, false, false, true}, make([]bool, 4)
	for _, c := range []struct {
		stays          []bool
		runs           int
		most, streamed int
	}{
		{all, 1, 14, 0}, {all, 9, 14, 0}, {all, 0, 14, 0},
		{some, 1, 9, 7},  // 5 and the 4 that passes; the 2 comes later
		{some, 2, 11, 7}, // in the second run it is there
		{some, 0, 7, 7},
		{none, 3, 5, 14}, {none, 0, 0, 14},
	} {
		if most, streamed := residentPeak(blocks, c.stays, c.runs); most != c.most || streamed != c.streamed {
			t.Errorf("%v, %d runs: %d at most and %d pass, want %d and %d", c.stays, c.runs, most, streamed, c.most, c.streamed)
		}
	}
}

// tell runs the program and reads the JSON object it prints.
func tell(t *testing.T, dir string, into any, args ...string) {
	t.Helper()
	c := program(t, dir, args...)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		t.Fatalf("taca %v: %v", args, err)
	}
}

// TestPlanForetellsMemory compares the plan's peak with what the kernel says of
// the run: the embedded model, the same in a folder, and a folder whose weights
// have no room. scripts/bench-memory does it at full size, within 10 %; this
// binary holds the tests as well, and machines differ.
func TestPlanForetellsMemory(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "folder"), demo.Folder().FS()); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"--model", "demo"},
		{"--model", "demo", "-W", "512", "-H", "384", "--dtype", "f32"},
		{"--model", "folder", "-W", "512", "-H", "512"},
		{"--model", "folder", "-W", "256", "-H", "256", "--ram-limit", "1MiB"},
	} {
		args = append(args, "--steps", "2", "--device", "cpu", "--json")
		var plan outlook
		var run struct {
			Peak int `json:"peak_resident_bytes"`
		}
		tell(t, dir, &plan, append([]string{"plan"}, args...)...)
		tell(t, dir, &run, append([]string{"generate", "-p", "a cube", "-o", "a.png"}, args...)...)
		if run.Peak == 0 {
			t.Skip("the kernel does not say what was resident")
		}
		off := float64(plan.Host.Peak)/float64(run.Peak) - 1
		t.Logf("%v: planned %d, resident %d, %+.1f %%", args, plan.Host.Peak, run.Peak, 100*off)
		if math.Abs(off) > 0.2 {
			t.Errorf("%v: planned %d, resident %d", args, plan.Host.Peak, run.Peak)
		}
	}
}
