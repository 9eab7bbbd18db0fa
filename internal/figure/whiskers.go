package figure

import (
	"image"
	"image/color"
	"image/draw"
)

// Whiskers is rows of numbers with intervals, along one axis.
type Whiskers struct {
	Title string
	Tick  func(float64) string
	Zero  bool // is drawn as a line to compare with
	Rows  []Whisker
}

// Whisker is a number with its interval, or a heading of those below it.
type Whisker struct {
	Label            string
	Heading          bool
	Colour           color.NRGBA
	Value, Low, High float64
}

// Draw draws the rows into an area.
func (w *Whiskers) Draw(to draw.Image, area image.Rectangle, pens Pens) {
	low, high, labels := 0.0, 0.0, 0
	for _, r := range w.Rows {
		low, high = min(low, r.Low), max(high, r.High)
		labels = max(labels, min(pens.Text.Width(r.Label), area.Dx()/3))
	}
	inner := image.Rect(area.Min.X+labels+20, area.Min.Y+chartTop, area.Max.X-chartRight-24, area.Max.Y-chartBottom+24)
	scale := NewScale(low, high, 5)
	x := func(v float64) float64 { return float64(inner.Min.X) + scale.At(v)*float64(inner.Dx()) }
	top, bottom := float64(inner.Min.Y), float64(inner.Max.Y)
	pens.Head.Write(to, Ink, area.Min.X, area.Min.Y, w.Title)
	for _, v := range scale.Ticks {
		Box(to, Faint, x(v)-0.5, top, x(v)+0.5, bottom)
		label := w.Tick(v)
		pens.Small.Write(to, Grey, int(x(v))-pens.Small.Width(label)/2, inner.Max.Y+6, label)
	}
	if w.Zero {
		Dashes(to, Grey, 2, 7, Point{x(0), top}, Point{x(0), bottom})
	}
	for i, r := range w.Rows {
		y := top + (float64(i)+0.5)*(bottom-top)/float64(len(w.Rows))
		at := int(y) - pens.Text.Size/2 - 3
		label := pens.Text.Shorten(r.Label, labels)
		if r.Heading {
			pens.Text.Write(to, Ink, area.Min.X, at, label)
			continue
		}
		pens.Text.Write(to, Grey, inner.Min.X-14-pens.Text.Width(label), at, label)
		Box(to, r.Colour, x(r.Low), y-2, x(r.High), y+2)
		for _, end := range []float64{r.Low, r.High} {
			Box(to, r.Colour, x(end)-1.5, y-6, x(end)+1.5, y+6)
		}
		Disc(to, r.Colour, Point{x(r.Value), y}, 7)
	}
}
