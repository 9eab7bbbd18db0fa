package main

import (
	"image"
	"testing"
)

// TestFitted: a picture keeps its size as near as the model can, and never has
// more pixels than the model's own.
func TestFitted(t *testing.T) {
	for _, c := range []struct{ size, asked, want image.Point }{
		{image.Pt(1024, 1024), image.Pt(0, 0), image.Pt(1024, 1024)},
		{image.Pt(640, 480), image.Pt(0, 0), image.Pt(640, 480)},
		{image.Pt(645, 471), image.Pt(0, 0), image.Pt(640, 464)},
		{image.Pt(3, 5000), image.Pt(0, 0), image.Pt(16, 5008)},
		{image.Pt(4032, 3024), image.Pt(0, 0), image.Pt(1184, 880)}, // 1182.4 × 886.8
		{image.Pt(4032, 3024), image.Pt(512, 0), image.Pt(512, 384)},
		{image.Pt(4032, 3024), image.Pt(0, 768), image.Pt(1024, 768)},
		{image.Pt(4032, 3024), image.Pt(2048, 0), image.Pt(2048, 1536)},
		{image.Pt(4032, 3024), image.Pt(256, 512), image.Pt(256, 512)},
		{image.Pt(100, 50), image.Pt(101, 0), image.Pt(101, 48)}, // refused later, as 101 is
	} {
		if got := fitted(c.size, c.asked, 16, 1<<20); got != c.want {
			t.Errorf("%v where %v is asked for: %v, want %v", c.size, c.asked, got, c.want)
		}
	}
}
