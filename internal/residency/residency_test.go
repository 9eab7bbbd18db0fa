package residency

import (
	"errors"
	"slices"
	"testing"
)

func TestDecide(t *testing.T) {
	blocks := slices.Repeat([]Group{{Bytes: 400}}, 57)
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
	p, err := Decide([]Group{{10, false}, {}, {700, false}, {30, false}, {700, false}, {30, false}, {700, false}, {5, false}}, 2*700+760, Auto)
	if err != nil {
		t.Fatal(err)
	}
	if p.DeviceBytes() > 2*700+760 || !p.Resident[1] {
		t.Errorf("placed %v, %d bytes", p.Resident, p.DeviceBytes())
	}
}

// TestDecideSeldom: what is needed seldom stays if all does, and makes way for
// everything else.
func TestDecideSeldom(t *testing.T) {
	var groups []Group
	for range 20 {
		groups = append(groups, Group{Bytes: 400}, Group{Bytes: 100, Seldom: true})
	}
	for _, c := range []struct {
		name                             string
		budget                           int
		mode                             Mode
		resident, streamed, seldom, slot int
	}{
		{"all fit", 20 * 500, Auto, 20 * 500, 0, 0, 0},
		{"one byte short", 20*500 - 1, Auto, 20 * 400, 0, 20 * 100, 100},
		{"just the others and a narrow ring", 20*400 + 2*100, Auto, 20 * 400, 0, 20 * 100, 100},
		{"one byte less", 20*400 + 2*100 - 1, Auto, 18 * 400, 2 * 400, 20 * 100, 400},
		{"half", 10*400 + 2*400, Auto, 10 * 400, 10 * 400, 20 * 100, 400},
		{"asked to stream", 20 * 500, Stream, 0, 20 * 400, 20 * 100, 400},
		{"asked to stay", 20 * 500, None, 20 * 500, 0, 0, 0},
	} {
		p, err := Decide(groups, c.budget, c.mode)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if p.ResidentBytes() != c.resident || p.StreamedBytes() != c.streamed || p.SeldomBytes() != c.seldom || p.Slot != c.slot {
			t.Errorf("%s: %d stay, %d are streamed in every step, %d before, slot %d; want %d, %d, %d, %d", c.name,
				p.ResidentBytes(), p.StreamedBytes(), p.SeldomBytes(), p.Slot, c.resident, c.streamed, c.seldom, c.slot)
		}
		for i, g := range groups {
			if g.Seldom && p.Resident[i] != (c.seldom == 0) {
				t.Errorf("%s: group %d, needed seldom, stays: %v", c.name, i, p.Resident[i])
			}
		}
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

// TestOnHost never refuses: what does not fit is read again and again.
func TestOnHost(t *testing.T) {
	groups := []Group{{Bytes: 100 << 20}, {Bytes: 300 << 20}, {}, {Bytes: 300 << 20}, {Bytes: 100 << 20}}
	for _, c := range []struct {
		memory, taken, most int
		streams             bool
	}{
		{0, 1 << 40, 800 << 20, false},
		{HostReserve + 800<<20, 0, 800 << 20, false},
		{HostReserve + 900<<20, 100 << 20, 800 << 20, false},
		{HostReserve + 900<<20, 101 << 20, 200 << 20, true},
		{HostReserve + 700<<20, 0, 100 << 20, true},
		{HostReserve + 600<<20, 0, 0, true},
		{1, 0, 0, true},
	} {
		p := OnHost(groups, c.memory, c.taken)
		if p.ResidentBytes() > c.most || (p.StreamedBytes() > 0) != c.streams || len(p.Resident) != len(groups) || !p.Resident[2] {
			t.Errorf("%d bytes, %d taken: %+v, want at most %d to stay", c.memory, c.taken, p, c.most)
		}
		if p.ResidentBytes()+p.StreamedBytes() != 800<<20 {
			t.Errorf("%d bytes: %d stay and %d do not", c.memory, p.ResidentBytes(), p.StreamedBytes())
		}
	}
}
