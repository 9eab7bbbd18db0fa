package figure

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// Colours of figures. Blue and Vermilion can be told from each other by those
// who do not see red from green, too (after Okabe and Ito).
var (
	Paper     = color.NRGBA{255, 255, 255, 255}
	Ink       = color.NRGBA{17, 17, 17, 255}
	Grey      = color.NRGBA{96, 96, 96, 255}
	Faint     = color.NRGBA{224, 224, 224, 255}
	Blue      = color.NRGBA{0, 114, 178, 255}
	Vermilion = color.NRGBA{213, 94, 0, 255}
)

// Point is a place in a picture, in pixels; whole numbers are corners of pixels.
type Point struct{ X, Y float64 }

// Fade is c, so much less opaque.
func Fade(c color.NRGBA, opacity float64) color.NRGBA {
	c.A = uint8(math.Round(float64(c.A) * opacity))
	return c
}

// Fill paints a polygon.
func Fill(to draw.Image, ink color.Color, corners ...Point) {
	if len(corners) == 0 {
		return
	}
	low, high := corners[0], corners[0]
	for _, p := range corners {
		low = Point{math.Min(low.X, p.X), math.Min(low.Y, p.Y)}
		high = Point{math.Max(high.X, p.X), math.Max(high.Y, p.Y)}
	}
	area := image.Rect(int(math.Floor(low.X)), int(math.Floor(low.Y)), int(math.Ceil(high.X))+1, int(math.Ceil(high.Y))+1)
	z := vector.NewRasterizer(area.Dx(), area.Dy())
	at := func(p Point) (x, y float32) {
		return float32(p.X - float64(area.Min.X)), float32(p.Y - float64(area.Min.Y))
	}
	z.MoveTo(at(corners[0]))
	for _, p := range corners[1:] {
		z.LineTo(at(p))
	}
	z.ClosePath()
	z.Draw(to, area, image.NewUniform(ink), image.Point{})
}

// Box paints an upright rectangle.
func Box(to draw.Image, ink color.Color, x0, y0, x1, y1 float64) {
	Fill(to, ink, Point{x0, y0}, Point{x1, y0}, Point{x1, y1}, Point{x0, y1})
}

// Disc paints a circle's inside.
func Disc(to draw.Image, ink color.Color, at Point, radius float64) {
	const corners = 32
	edge := make([]Point, corners)
	for i := range edge {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / corners)
		edge[i] = Point{at.X + radius*cos, at.Y + radius*sin}
	}
	Fill(to, ink, edge...)
}

// Line draws straight strokes from point to point, with round joints. The ink
// should be opaque: strokes overlap where they meet.
func Line(to draw.Image, ink color.Color, width float64, points ...Point) {
	for i, p := range points {
		if width > 2 {
			Disc(to, ink, p, width/2)
		}
		if i == 0 {
			continue
		}
		from := points[i-1]
		x, y := p.X-from.X, p.Y-from.Y
		length := math.Hypot(x, y)
		if length == 0 {
			continue
		}
		across := Point{-y / length * width / 2, x / length * width / 2}
		Fill(to, ink, Point{from.X + across.X, from.Y + across.Y}, Point{p.X + across.X, p.Y + across.Y},
			Point{p.X - across.X, p.Y - across.Y}, Point{from.X - across.X, from.Y - across.Y})
	}
}

// Dashes draws a line from a to b in dashes of the given length and distance.
func Dashes(to draw.Image, ink color.Color, width, dash float64, a, b Point) {
	length := math.Hypot(b.X-a.X, b.Y-a.Y)
	along := func(d float64) Point {
		d = math.Min(d, length) / length
		return Point{a.X + (b.X-a.X)*d, a.Y + (b.Y-a.Y)*d}
	}
	for d := 0.0; d < length; d += 2 * dash {
		Line(to, ink, width, along(d), along(d+dash))
	}
}
