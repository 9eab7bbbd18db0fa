package model_test

import (
	"testing"

	"taca/internal/model"
)

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		text string
		has  string // of blocks 0..9
		last int
	}{
		{"", "0123456789", -1},
		{"0", "0", 0},
		{"2-4", "234", 4},
		{"0-1, 3,8-9", "01389", 9},
	} {
		b, err := model.ParseBlocks(c.text)
		got := ""
		for i := range 10 {
			if b.Has(i) {
				got += string(rune('0' + i))
			}
		}
		if err != nil || got != c.has || b.Last() != c.last {
			t.Errorf("%q: blocks %s, the last %d (%v), want %s and %d", c.text, got, b.Last(), err, c.has, c.last)
		}
	}
	for _, bad := range []string{",", "1,", "a", "-1", "3-1", "1-2,2", "5,1", "1--2", "0-99999999999", "1.5"} {
		if b, err := model.ParseBlocks(bad); err == nil {
			t.Errorf("%q was read as %v", bad, b)
		}
	}
}

// TestStretch: adapters follow gamma's being 1 or not, whatever its value.
func TestStretch(t *testing.T) {
	var way model.Trajectory
	for _, gamma := range []float32{1.4, 1.2, 1.1, 1, 1, 0.9} {
		way.Steps = append(way.Steps, model.Step{Gamma: gamma})
	}
	for i, want := range []int{3, 3, 3, 5, 5, 6} {
		if got := way.Stretch(i); got != want {
			t.Errorf("the stretch from step %d ends at %d, want %d", i, got, want)
		}
	}
}

// TestGammaByBlock: the step's gamma where the trajectory says, 1 elsewhere.
func TestGammaByBlock(t *testing.T) {
	way := model.Trajectory{Steps: []model.Step{{Gamma: 1.4}, {Gamma: 1.2}}}
	if got := way.Gamma(1, 7); got != 1.2 {
		t.Errorf("gamma %v without ranges, want 1.2", got)
	}
	way.Blocks, _ = model.ParseBlocks("1-2")
	for block, want := range []float32{1, 1.4, 1.4, 1} {
		if got := way.Gamma(0, block); got != want {
			t.Errorf("gamma %v in block %d, want %v", got, block, want)
		}
	}
}
