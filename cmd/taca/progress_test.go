package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"taca/internal/pipeline"
)

const reading = "14.2/23.6 GiB 287 W"

// TestProgressMeter: the meter is shown while denoising, where the line has
// room for it, and only while it has something to say.
func TestProgressMeter(t *testing.T) {
	denoising := pipeline.Event{Stage: pipeline.Denoising, Done: 3, Total: 28, Gamma: 1.2}
	said := reading
	meter := func() string { return said }
	for _, c := range []struct {
		name    string
		meter   func() string
		says    string
		columns int
		event   pipeline.Event
		want    string
	}{
		{"room", meter, reading, 80, denoising, "denoising, gamma 1.2 " + reading},
		{"no room", meter, reading, 70, denoising, "denoising, gamma 1.2"},
		{"no terminal", meter, reading, 0, denoising, "denoising, gamma 1.2"},
		{"no card", nil, "", 200, denoising, "denoising, gamma 1.2"},
		{"a lost card", meter, "", 200, denoising, "denoising, gamma 1.2"},
		{"another stage", meter, reading, 200, pipeline.Event{Stage: pipeline.Encoding, Total: 2, What: "t5"}, "encoding t5"},
	} {
		said = c.says
		p := newProgress(&app{}, nil)
		p.meter, p.columns = c.meter, func() int { return c.columns }
		if got := p.describe(c.event); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestProgressFits: the narrowest terminal that shows the meter has room for
// the line of a long run with the bar at its shortest, and no more.
func TestProgressFits(t *testing.T) {
	const bar = 24 // cells, where nobody knows the terminal's width
	var drawn bytes.Buffer
	p := newProgress(&app{stderr: &drawn, terminal: true}, nil)
	p.meter = func() string { return reading }
	event := pipeline.Event{Stage: pipeline.Denoising, Total: 28, Gamma: 1.2}
	width := 0
	p.columns = func() int { return width }
	for !strings.Contains(p.describe(event), reading) {
		width++
	}
	p.show(event)
	line := strings.Trim(drawn.String(), "\r ")
	if !strings.HasPrefix(line, "denoising, gamma 1.2 "+reading+"   0% |") || !strings.HasSuffix(line, "| (0/28) [0s:0s]") {
		t.Fatalf("the first line is %q", drawn.String())
	}
	later := len("(28/28) [10m10s:10m10s]") - len("(0/28) [0s:0s]")
	if need := utf8.RuneCountInString(line) + later - bar + shortestBar; need != width {
		t.Errorf("shown from %d columns on; a long run needs %d", width, need)
	}
}
