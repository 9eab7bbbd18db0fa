package sweep

import "time"

// Pace is how fast work is done, in any unit, so far.
type Pace struct {
	work float64
	took time.Duration
}

// Done adds work that took so long.
func (p *Pace) Done(work float64, took time.Duration) {
	p.work += work
	p.took += took
}

// Left is how long so much work will take; false where nothing is known yet.
func (p Pace) Left(work float64) (time.Duration, bool) {
	if p.work == 0 {
		return 0, work == 0
	}
	return time.Duration(float64(p.took) * work / p.work), true
}
