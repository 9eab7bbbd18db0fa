package figure

import (
	"image"
	"image/color"
	"image/draw"
	"strconv"
)

// Chart is curves over whole numbers.
type Chart struct {
	Title, Across string // above, and below the axis
	Tick          func(float64) string
	FromZero      bool
	First         int // the number of the leftmost point
	Curves        []Curve
	Level         *Level
	Shaded        []Shade
}

// Curve is one number for each point.
type Curve struct {
	Colour color.NRGBA
	Values []float64
}

// Level is a number to compare with, a dashed line.
type Level struct {
	Value float64
	Label string
}

// Shade is a stretch of points, both ends included.
type Shade struct {
	First, Last int
	Label       string
}

// Pens are the letters of a figure.
type Pens struct{ Title, Head, Text, Small *Letters }

// NewPens are letters for figures of some 1600 pixels.
func NewPens() (p Pens, err error) {
	for _, pen := range []struct {
		to   **Letters
		make func(int) (*Letters, error)
		size int
	}{{&p.Title, NewBold, 30}, {&p.Head, NewBold, 22}, {&p.Text, NewLetters, 20}, {&p.Small, NewLetters, 18}} {
		if *pen.to, err = pen.make(pen.size); err != nil {
			return p, err
		}
	}
	return p, nil
}

// New is an empty sheet of paper.
func New(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.NewUniform(Paper), image.Point{}, draw.Src)
	return img
}

// The margins of a chart, in pixels.
const (
	chartLeft, chartRight = 84, 16
	chartTop, chartBottom = 48, 64
)

// Draw draws the chart into an area.
func (c *Chart) Draw(to draw.Image, area image.Rectangle, pens Pens) {
	inner := image.Rect(area.Min.X+chartLeft, area.Min.Y+chartTop, area.Max.X-chartRight, area.Max.Y-chartBottom)
	pens.Head.Write(to, Ink, area.Min.X, area.Min.Y, c.Title)
	scale, points := c.scale(), c.points()
	x := func(i float64) float64 {
		return float64(inner.Min.X) + (i+0.5)/float64(max(1, points))*float64(inner.Dx())
	}
	y := func(v float64) float64 { return float64(inner.Max.Y) - scale.At(v)*float64(inner.Dy()) }
	left, right := float64(inner.Min.X), float64(inner.Max.X)

	for _, s := range c.Shaded {
		Box(to, Fade(Vermilion, 0.09), x(float64(s.First)-0.5), float64(inner.Min.Y), x(float64(s.Last)+0.5), float64(inner.Max.Y))
		pens.Small.Write(to, Vermilion, int(x(float64(s.First)-0.5))+8, inner.Min.Y+4, s.Label)
	}
	for _, v := range scale.Ticks {
		Box(to, Faint, left, y(v)-0.5, right, y(v)+0.5)
		label := c.Tick(v)
		pens.Small.Write(to, Grey, inner.Min.X-10-pens.Small.Width(label), int(y(v))-pens.Small.Size/2-3, label)
	}
	for i, step := 0, (points+11)/12; i < points; i += step {
		label := strconv.Itoa(c.First + i)
		pens.Small.Write(to, Grey, int(x(float64(i)))-pens.Small.Width(label)/2, inner.Max.Y+6, label)
	}
	pens.Text.Write(to, Ink, (inner.Min.X+inner.Max.X-pens.Text.Width(c.Across))/2, inner.Max.Y+32, c.Across)
	if c.Level != nil {
		Dashes(to, Grey, 2, 7, Point{left, y(c.Level.Value)}, Point{right, y(c.Level.Value)})
		pens.Small.Write(to, Grey, inner.Max.X-pens.Small.Width(c.Level.Label)-4, int(y(c.Level.Value))-pens.Small.Size-8, c.Level.Label)
	}
	for i, curve := range c.Curves {
		curve.draw(to, 3+3*float64(len(c.Curves)-1-i), x, y)
	}
}

// draw draws the curve, so broad that the edges of those under it show.
func (c *Curve) draw(to draw.Image, width float64, x, y func(float64) float64) {
	var line []Point
	for i, v := range c.Values {
		line = append(line, Point{x(float64(i)), y(v)})
	}
	Line(to, c.Colour, width, line...)
	for _, p := range line {
		if len(line) <= 60 {
			Disc(to, c.Colour, p, width/2+3)
		}
	}
}

// points is how many the longest curve has.
func (c *Chart) points() int {
	most := 0
	for _, curve := range c.Curves {
		most = max(most, len(curve.Values))
	}
	return most
}

// scale holds all that is drawn.
func (c *Chart) scale() Scale {
	var all []float64
	for _, curve := range c.Curves {
		all = append(all, curve.Values...)
	}
	if c.Level != nil {
		all = append(all, c.Level.Value)
	}
	if c.FromZero {
		all = append(all, 0)
	}
	if len(all) == 0 {
		all = []float64{0, 1}
	}
	low, high := all[0], all[0]
	for _, v := range all {
		low, high = min(low, v), max(high, v)
	}
	return NewScale(low, high, 5)
}
