package sweep

import (
	"testing"
	"time"
)

// TestPace: what is left takes as long as what was done, work for work.
func TestPace(t *testing.T) {
	var p Pace
	if _, known := p.Left(3); known {
		t.Error("it guesses before anything is done")
	}
	if left, known := p.Left(0); !known || left != 0 {
		t.Errorf("nothing takes %v", left)
	}
	p.Done(10, 2*time.Second)
	p.Done(30, 10*time.Second)
	if left, known := p.Left(20); !known || left != 6*time.Second {
		t.Errorf("%v left for half of what took 12s", left)
	}
}
