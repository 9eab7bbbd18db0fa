package figure

import (
	"image"
	"image/color"
	"image/draw"
	"math"
)

// Dots is rows of numbers that are to be compared along one axis, from zero.
type Dots struct {
	Title string
	Tick  func(float64) string
	Rows  []DotRow
}

// DotRow is what is compared under one name.
type DotRow struct {
	Label string
	Dots  []Dot
}

// Dot is one number.
type Dot struct {
	Colour color.NRGBA
	Value  float64
}

// Draw draws the rows into an area; a bar joins the outermost numbers of each.
func (d *Dots) Draw(to draw.Image, area image.Rectangle, pens Pens) {
	most, labels := 0.0, 0
	for _, r := range d.Rows {
		labels = max(labels, min(pens.Text.Width(r.Label), area.Dx()/3))
		for _, dot := range r.Dots {
			most = math.Max(most, dot.Value)
		}
	}
	inner := image.Rect(area.Min.X+labels+20, area.Min.Y+chartTop, area.Max.X-chartRight-24, area.Max.Y-chartBottom+24)
	scale := NewScale(0, most, 5)
	x := func(v float64) float64 { return float64(inner.Min.X) + scale.At(v)*float64(inner.Dx()) }
	pens.Head.Write(to, Ink, area.Min.X, area.Min.Y, d.Title)
	for _, v := range scale.Ticks {
		Box(to, Faint, x(v)-0.5, float64(inner.Min.Y), x(v)+0.5, float64(inner.Max.Y))
		label := d.Tick(v)
		pens.Small.Write(to, Grey, int(x(v))-pens.Small.Width(label)/2, inner.Max.Y+6, label)
	}
	for i, r := range d.Rows {
		y := float64(inner.Min.Y) + (float64(i)+0.5)*float64(inner.Dy())/float64(len(d.Rows))
		label := pens.Text.Shorten(r.Label, labels)
		pens.Text.Write(to, Ink, inner.Min.X-14-pens.Text.Width(label), int(y)-pens.Text.Size/2-3, label)
		low, high := math.Inf(1), math.Inf(-1)
		for _, dot := range r.Dots {
			low, high = math.Min(low, dot.Value), math.Max(high, dot.Value)
		}
		Box(to, Faint, x(low), y-3, x(high), y+3)
		for _, dot := range r.Dots {
			Disc(to, dot.Colour, Point{x(dot.Value), y}, 8)
		}
	}
}
