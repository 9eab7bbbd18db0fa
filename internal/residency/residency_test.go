package residency

import (
	"errors"
	"testing"
)

func TestDecide(t *testing.T) {
	blocks := make([]int, 57)
	for i := range blocks {
		blocks[i] = 400
	}
	for _, c := range []struct {
		name             string
		budget           int
		mode             Mode
		resident, slot   int
		tooSmall, spread bool
	}{
		{"all fit", 57 * 400, Auto, 57 * 400, 0, false, false},
		{"one byte short", 57*400 - 1, Auto, 54 * 400, 400, false, true},
		{"half", 29*400 + 800, Auto, 29 * 400, 400, false, true},
		{"ring only", 800, Auto, 0, 400, false, false},
		{"not even the ring", 799, Auto, 0, 400, true, false},
		{"asked to stay", 57*400 - 1, None, 57 * 400, 0, true, false},
		{"asked to stream", 57 * 400, Stream, 0, 400, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := Decide(blocks, c.budget, c.mode)
			var small *TooSmall
			if errors.As(err, &small) != c.tooSmall {
				t.Fatalf("error %v", err)
			}
			if c.tooSmall {
				return
			}
			if p.ResidentBytes() != c.resident || p.Slot != c.slot {
				t.Errorf("resident %d, slot %d, want %d, %d", p.ResidentBytes(), p.Slot, c.resident, c.slot)
			}
			if p.DeviceBytes() > c.budget || p.ResidentBytes()+p.StreamedBytes() != 57*400 {
				t.Errorf("%d on the device of %d, %d streamed", p.DeviceBytes(), c.budget, p.StreamedBytes())
			}
			if c.spread {
				evenly(t, p)
			}
		})
	}
}

// evenly fails if resident groups keep together while streamed ones do too.
func evenly(t *testing.T, p Placement) {
	t.Helper()
	resident := 0
	for i, stays := range p.Resident {
		if stays {
			resident++
		}
		want := float64(i+1) * float64(p.ResidentBytes()) / float64(p.ResidentBytes()+p.StreamedBytes())
		if got := float64(resident); got < want-1.01 || got > want+1.01 {
			t.Errorf("of the first %d groups %d stay, want about %.1f", i+1, resident, want)
		}
	}
}

func TestDecideUnevenSizes(t *testing.T) {
	p, err := Decide([]int{10, 0, 700, 30, 700, 30, 700, 5}, 2*700+760, Auto)
	if err != nil {
		t.Fatal(err)
	}
	if p.DeviceBytes() > 2*700+760 || !p.Resident[1] {
		t.Errorf("placed %v, %d bytes", p.Resident, p.DeviceBytes())
	}
}

func TestParseMode(t *testing.T) {
	for _, name := range []string{"auto", "none", "stream"} {
		if m, err := ParseMode(name); err != nil || string(m) != name {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if _, err := ParseMode("disk"); err == nil {
		t.Error("disk was taken for a mode")
	}
}
