package figure

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/draw"
)

// inferno is from dark to light, of rising lightness throughout: five of the
// colours of matplotlib's map of that name.
var inferno = []color.NRGBA{{0, 0, 4, 255}, {87, 16, 110, 255}, {188, 55, 84, 255}, {249, 142, 9, 255}, {252, 255, 164, 255}}

// Heat is the colour of a number, 0 to 1.
func Heat(v float64) color.NRGBA {
	at := math.Max(0, math.Min(1, v)) * float64(len(inferno)-1)
	i := min(int(at), len(inferno)-2)
	part := at - float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + part*(float64(b)-float64(a)))) }
	a, b := inferno[i], inferno[i+1]
	return color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// Map is numbers on a grid, row by row.
type Map struct {
	Width, Height int
	Values        []float64
}

// At is the map between the middles of its cells, at (x, y) of 0 to 1.
func (m Map) At(x, y float64) float64 {
	split := func(v float64, n int) (i, j int, part float64) {
		v = math.Max(0, math.Min(float64(n-1), v*float64(n)-0.5))
		i = int(v)
		return i, min(i+1, n-1), v - float64(i)
	}
	x0, x1, px := split(x, m.Width)
	y0, y1, py := split(y, m.Height)
	line := func(row int) float64 { return m.Values[row*m.Width+x0]*(1-px) + m.Values[row*m.Width+x1]*px }
	return line(y0)*(1-py) + line(y1)*py
}

// Fit is a picture scaled to a size.
func Fit(picture image.Image, size image.Point) *image.NRGBA {
	out := image.NewNRGBA(image.Rectangle{Max: size})
	draw.CatmullRom.Scale(out, out.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	return out
}

// Over lays the map over a picture of that size without its colours; most is as
// bright as it gets. Where there is little the picture shows.
func (m Map) Over(picture image.Image, size image.Point, most float64) *image.NRGBA {
	out := Fit(picture, size)
	for y := range size.Y {
		for x := range size.X {
			v := 0.0
			if most > 0 {
				v = math.Min(1, m.At((float64(x)+0.5)/float64(size.X), (float64(y)+0.5)/float64(size.Y))/most)
			}
			c := out.NRGBAAt(x, y)
			grey := 0.7 * (0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B))
			heat, part := Heat(v), 0.15+0.75*v
			mix := func(h uint8) uint8 { return uint8(math.Round(grey*(1-part) + float64(h)*part)) }
			out.SetNRGBA(x, y, color.NRGBA{mix(heat.R), mix(heat.G), mix(heat.B), 255})
		}
	}
	return out
}
