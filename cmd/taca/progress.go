package main

import (
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// progress shows how far a run is, on terminals only.
type progress struct {
	app     *app
	bar     *progressbar.ProgressBar
	stage   pipeline.Stage
	prefix  string        // "2/4 " where several pictures are made
	meter   func() string // what a card holds and draws, "14.2/23.6 GiB 287 W"; nil without one
	stop    func()        // ends the meter
	columns func() int    // the terminal's width; 0 where nobody knows
}

// newProgress begins to watch b too, where that is a card and somebody looks.
func newProgress(a *app, b tensor.Backend) *progress {
	p := &progress{app: a, stop: func() {}, columns: func() int { return columns(a.stderr) }}
	if a.terminal {
		p.meter, p.stop = cardMeter(b)
	}
	return p
}

// picture says which of several pictures comes next.
func (p *progress) picture(i, count int) {
	if count > 1 {
		p.prefix = fmt.Sprintf("%d/%d ", i+1, count)
	}
}

// show brings the bar up to date.
func (p *progress) show(e pipeline.Event) {
	if !p.app.terminal || e.Total == 0 {
		return
	}
	if p.bar == nil || p.stage != e.Stage || e.Done == 0 {
		p.clear()
		p.stage = e.Stage
		p.bar = progressbar.NewOptions(e.Total,
			progressbar.OptionSetWriter(p.app.stderr),
			progressbar.OptionSetDescription(p.describe(e)), // Describe is too soon for a first line
			progressbar.OptionSetWidth(24),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(e.Stage == pipeline.Denoising),
			progressbar.OptionSetElapsedTime(true),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(50*time.Millisecond),
		)
	}
	_ = p.bar.Set(e.Done) // a bar that cannot be drawn is no reason to stop
	if e.Done < e.Total {
		p.bar.Describe(p.describe(e))
	}
}

// shortestBar is how few cells may be left to the bar.
const shortestBar = 4

// describe is the text before the bar. While denoising the meter is part of
// it, where the line has room; the bar makes itself shorter for it.
func (p *progress) describe(e pipeline.Event) string {
	text := p.prefix + describeEvent(e)
	if p.meter == nil || e.Stage != pipeline.Denoising {
		return text
	}
	reading := p.meter()
	if reading == "" {
		return text
	}
	with := text + " " + reading
	around := fmt.Sprintf(" 100%% || (%d/%d) [10m10s:10m10s]", e.Total, e.Total) // in a long run
	if utf8.RuneCountInString(with+around)+shortestBar > p.columns() {
		return text
	}
	return with
}

// columns is the width of the terminal w writes to, 0 where it is none.
func columns(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

func describeEvent(e pipeline.Event) string {
	switch {
	case e.Stage == pipeline.Denoising:
		return fmt.Sprintf("%v, gamma %.3g", e.Stage, e.Gamma)
	case e.What != "":
		return fmt.Sprintf("%v %s", e.Stage, e.What)
	}
	return e.Stage.String()
}

// clear wipes the bar, so that other lines can be written.
func (p *progress) clear() {
	if p != nil && p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// close wipes the bar for good.
func (p *progress) close() {
	p.clear()
	p.stop()
}

// timings are the seconds spent in each stage.
type timings struct {
	Loading   float64 `json:"loading"`
	Encoding  float64 `json:"encoding"`
	Picture   float64 `json:"picture,omitempty"` // encoding the one it starts from
	Denoising float64 `json:"denoising"`
	Decoding  float64 `json:"decoding"`
	Total     float64 `json:"total"` // since the program started

	begun time.Time
}

// note starts a stage's clock at its first event and stops it at the last.
func (t *timings) note(e pipeline.Event) {
	if e.Done == 0 {
		t.begun = time.Now()
	}
	if e.Done == e.Total && e.Stage == pipeline.Encoding && e.What != "" {
		t.Picture = time.Since(t.begun).Seconds()
	} else if e.Done == e.Total {
		*[...]*float64{&t.Loading, &t.Encoding, &t.Denoising, &t.Decoding}[e.Stage] = time.Since(t.begun).Seconds()
	}
}

func (t *timings) since(start time.Time) timings {
	out := *t
	out.Total = time.Since(start).Seconds()
	return out
}
