package main

import (
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"

	"taca/internal/pipeline"
	"taca/internal/sweep"
)

// sweepBar shows how far a sweep is, on terminals only, and how long the rest
// will take: what is left, at the pace of the cells that are done. Before the
// first is done it does not guess.
type sweepBar struct {
	app   *app
	work  func(sweep.Cell) float64
	bar   *progressbar.ProgressBar
	cells []sweep.Cell // to paint
	at    int          // cells that are done
	whole float64      // work of all cells

	finished float64 // work of the cells that are done
	unread   int     // prompts
	painting sweep.Pace
	reading  sweep.Pace
	begun    time.Time
	now      sweep.Cell
}

// ticks is how finely the bar is divided.
const ticks = 10000

// begin takes the cells that will be painted.
func (b *sweepBar) begin(cells []sweep.Cell) {
	b.cells = cells
	for i, c := range cells {
		b.whole += b.work(c)
		if i == 0 || c.Prompt != cells[i-1].Prompt {
			b.unread++
		}
	}
}

// read notes that prompts were read.
func (b *sweepBar) read(prompts int, took time.Duration) {
	b.unread -= prompts
	b.reading.Done(float64(prompts), took)
}

func (b *sweepBar) start(c sweep.Cell) { b.now, b.begun = c, time.Now() }

// done notes that the cell in hand is painted.
func (b *sweepBar) done(c sweep.Cell) {
	b.at++
	b.finished += b.work(c)
	b.painting.Done(b.work(c), time.Since(b.begun))
}

// left is how many cells are not done.
func (b *sweepBar) left() int { return len(b.cells) - b.at }

// show brings the bar up to date.
func (b *sweepBar) show(e pipeline.Event) {
	if !b.app.terminal {
		return
	}
	done := 0.0
	if e.Stage == pipeline.Denoising && e.Total > 0 {
		done = b.work(b.now) * float64(e.Done) / float64(e.Total)
	}
	text := b.describe(done)
	if b.bar == nil {
		b.bar = progressbar.NewOptions(ticks,
			progressbar.OptionSetWriter(b.app.stderr),
			progressbar.OptionSetDescription(text),
			progressbar.OptionSetWidth(24),
			progressbar.OptionSetPredictTime(false),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(50*time.Millisecond),
		)
	}
	if e.Stage == pipeline.Decoding {
		return // the last step's picture of the bar stays
	}
	_ = b.bar.Set(int(ticks * (b.finished + done) / b.whole)) // a bar that cannot be drawn is no reason to stop
	b.bar.Describe(text)
}

// describe is the text before the bar, with so much of the cell in hand done.
func (b *sweepBar) describe(done float64) string {
	text := fmt.Sprintf("cell %d/%d, gamma %s, seed %d", b.at+1, len(b.cells), b.now.Gamma, b.now.Seed)
	painting, known := b.painting.Left(b.whole - b.finished - done)
	reading, _ := b.reading.Left(float64(b.unread))
	if !known {
		return text
	}
	return text + ", " + remaining(painting+reading) + " left"
}

// remaining is a time in the units people plan with.
func remaining(t time.Duration) string {
	t = t.Round(time.Second)
	switch {
	case t < time.Minute:
		return fmt.Sprintf("%ds", int(t.Seconds()))
	case t < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(t.Minutes()), int(t.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(t.Hours()), int(t.Minutes())%60)
}

// clear wipes the bar, so that other lines can be written.
func (b *sweepBar) clear() {
	if b.bar != nil {
		_ = b.bar.Clear()
		b.bar = nil
	}
}

func (b *sweepBar) close() { b.clear() }
