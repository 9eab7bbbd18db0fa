package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"taca/internal/pipeline"
	"taca/internal/sweep"
)

// TestSweepBar: no time left is told before a cell is done; then what is left is
// told by the work of cells, not by their number.
func TestSweepBar(t *testing.T) {
	var out bytes.Buffer
	b := &sweepBar{app: &app{stderr: &out, terminal: true}, work: func(c sweep.Cell) float64 { return float64(c.Steps) }}
	cells := []sweep.Cell{{Steps: 10, Gamma: "1"}, {Steps: 10, Gamma: "1.2", Index: 1}, {Steps: 40, Gamma: "1.4", Prompt: 1, Index: 2}}
	b.begin(cells)
	b.read(1, 2*time.Second)
	b.start(cells[0])
	b.show(pipeline.Event{Stage: pipeline.Denoising, Done: 5, Total: 10})
	if text := out.String(); !strings.Contains(text, "cell 1/3, gamma 1, seed 0") || strings.Contains(text, "left") {
		t.Errorf("before a cell is done it says %q", text)
	}
	b.begun = time.Now().Add(-20 * time.Second) // 2 s a step
	b.done(cells[0])
	b.start(cells[1])
	// 5 + 40 steps of 2 s, and a prompt.
	if got := b.describe(5); got != "cell 2/3, gamma 1.2, seed 0, 1m32s left" {
		t.Errorf("it says %q", got)
	}
	b.begun = time.Now().Add(-20 * time.Second)
	b.done(cells[1])
	b.read(1, 4*time.Second)
	b.start(cells[2])
	if got := b.describe(39); got != "cell 3/3, gamma 1.4, seed 0, 2s left" || b.left() != 1 {
		t.Errorf("it says %q, %d left", got, b.left())
	}
	b.close()
	for seconds, want := range map[float64]string{0: "0s", 59.7: "1m00s", 61: "1m01s", 3599: "59m59s", 36061: "10h01m"} {
		if got := remaining(time.Duration(seconds * float64(time.Second))); got != want {
			t.Errorf("%v s are %q, want %q", seconds, got, want)
		}
	}
}
