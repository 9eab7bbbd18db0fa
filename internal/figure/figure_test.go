package figure

import (
	"image"
	"image/color"
	"math"
	"slices"
	"testing"
)

func TestScale(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      []float64
	}{
		{0, 1, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
		{0, 0.35, []float64{0, 0.1, 0.2, 0.3, 0.4}},
		{2.64, 2.88, []float64{2.6, 2.65, 2.7, 2.75, 2.8, 2.85, 2.9}},
		{-3, 40, []float64{-10, 0, 10, 20, 30, 40}},
	} {
		s := NewScale(c.low, c.high, 5)
		if !slices.EqualFunc(s.Ticks, c.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }) || s.Low != s.Ticks[0] || s.High != s.Ticks[len(s.Ticks)-1] {
			t.Errorf("%v to %v: %+v, want ticks %v", c.low, c.high, s, c.want)
		}
	}
	for _, v := range []float64{0, 5, -1e-9} { // nothing between
		if s := NewScale(v, v, 5); !(s.At(v) >= 0 && s.At(v) <= 1) || len(s.Ticks) < 2 {
			t.Errorf("%v alone: %+v", v, s)
		}
	}
}

// TestHeat: the more, the lighter.
func TestHeat(t *testing.T) {
	last := -1.0
	for i := range 256 {
		c := Heat(float64(i) / 255)
		light := 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B)
		if light <= last-0.5 {
			t.Errorf("%d of 255 is darker than what is less", i)
		}
		last = light
	}
	if Heat(-1) != Heat(0) || Heat(2) != Heat(1) {
		t.Error("what is outside of the scale is not its end")
	}
}

// TestMap: cells are exact in their middles, and even in between.
func TestMap(t *testing.T) {
	m := Map{Width: 2, Height: 2, Values: []float64{0, 1, 2, 3}}
	for _, c := range []struct{ x, y, want float64 }{
		{0.25, 0.25, 0}, {0.75, 0.25, 1}, {0.25, 0.75, 2}, {0.75, 0.75, 3}, {0.5, 0.5, 1.5}, {0, 0, 0}, {1, 1, 3}, {0.5, 0, 0.5},
	} {
		if got := m.At(c.x, c.y); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("at (%v, %v) is %v, want %v", c.x, c.y, got, c.want)
		}
	}
	white := New(8, 8)
	over := m.Over(white, image.Pt(20, 20), 3)
	if a, b := over.NRGBAAt(2, 2), over.NRGBAAt(17, 17); int(a.R)+int(a.G) >= int(b.R)+int(b.G) {
		t.Errorf("the least is %v, the most %v", a, b)
	}
	if none := (Map{Width: 1, Height: 1, Values: []float64{0}}).Over(white, image.Pt(4, 4), 0); none.NRGBAAt(1, 1).R != none.NRGBAAt(3, 3).R {
		t.Error("a map of zeros is not even")
	}
}

// covered is the box around all pixels of about that colour.
func covered(img *image.NRGBA, c color.NRGBA) image.Rectangle {
	var box image.Rectangle
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if img.NRGBAAt(x, y) == c {
				box = box.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return box
}

func TestInk(t *testing.T) {
	img := New(60, 60)
	Box(img, Blue, 10, 20, 30, 25)
	if got := covered(img, Blue); got != image.Rect(10, 20, 30, 25) {
		t.Errorf("a box covers %v", got)
	}
	img = New(60, 60)
	Line(img, Vermilion, 4, Point{10, 30}, Point{50, 30})
	if got := covered(img, Vermilion); got.Min.Y != 28 || got.Max.Y != 32 || got.Min.X > 10 || got.Max.X < 50 || got.Dx() > 44 {
		t.Errorf("a line covers %v", got)
	}
	img = New(60, 60)
	Line(img, Blue, 4, Point{5, 5}, Point{5, 5})
	Dashes(img, Blue, 2, 5, Point{10, 40}, Point{50, 40})
	if blank := img.NRGBAAt(17, 40); blank != Paper {
		t.Errorf("between dashes it is %v", blank)
	}
	if dash := img.NRGBAAt(12, 40); dash != Blue {
		t.Errorf("in a dash it is %v", dash)
	}
}

func TestLetters(t *testing.T) {
	l, err := NewLetters(20)
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Shorten("a long label", l.Width("a long")); l.Width(got) > l.Width("a long") || got == "" {
		t.Errorf("shortened to %q", got)
	}
	if got := l.Shorten("fits", 1000); got != "fits" {
		t.Errorf("what fits became %q", got)
	}
	for _, line := range l.Wrap("one two averyveryverylongword three", 80) {
		if l.Width(line) > 80 {
			t.Errorf("%q is %d pixels wide, at most 80 were asked for", line, l.Width(line))
		}
	}
}

// TestChart: points lie where the axes say, whatever the numbers are.
func TestChart(t *testing.T) {
	pens, err := NewPens()
	if err != nil {
		t.Fatal(err)
	}
	tick := func(float64) string { return "" }
	c := Chart{Tick: tick, Curves: []Curve{{Blue, []float64{0, 0, 0, 1}}}}
	img := New(500, 400)
	c.Draw(img, img.Bounds(), pens)
	box := covered(img, Blue)
	if want := 400 - chartBottom; box.Max.Y < want || box.Max.Y > want+6 {
		t.Errorf("0 reaches down to %d, the axis is at %d", box.Max.Y, want)
	}
	if box.Min.Y > chartTop || box.Min.Y < chartTop-6 {
		t.Errorf("1 reaches up to %d, the top is at %d", box.Min.Y, chartTop)
	}
	for _, odd := range []Chart{{Tick: tick}, {Tick: tick, Curves: []Curve{{Blue, []float64{3}}}}, {Tick: tick, Curves: []Curve{{Blue, make([]float64, 200)}}}} {
		odd.Draw(New(300, 200), image.Rect(0, 0, 300, 200), pens)
	}
	d := Dots{Tick: tick, Rows: []DotRow{{"a", []Dot{{Blue, 0}, {Vermilion, 1}}}}}
	img = New(500, 400)
	d.Draw(img, img.Bounds(), pens)
	if low, high := covered(img, Blue), covered(img, Vermilion); low.Min.X >= high.Min.X || low.Min.Y != high.Min.Y {
		t.Errorf("0 is at %v, 1 at %v", low, high)
	}
}

// TestWhiskers: a number lies between the ends of its interval, where the axis
// says.
func TestWhiskers(t *testing.T) {
	pens, err := NewPens()
	if err != nil {
		t.Fatal(err)
	}
	w := Whiskers{Tick: func(float64) string { return "" }, Zero: true, Rows: []Whisker{
		{Label: "a", Heading: true}, {Colour: Blue, Value: 0, Low: -1, High: 1}, {Colour: Vermilion, Value: 0.5, Low: 0, High: 1},
	}}
	img := New(500, 400)
	w.Draw(img, img.Bounds(), pens)
	wide, half := covered(img, Blue), covered(img, Vermilion)
	if d := wide.Dx() - 2*half.Dx(); d < -4 || d > 4 || wide.Max.X != half.Max.X || wide.Max.Y >= half.Min.Y {
		t.Errorf("-1 to 1 is drawn at %v, 0 to 1 at %v", wide, half)
	}
	none := Whiskers{Tick: w.Tick}
	none.Draw(New(300, 200), image.Rect(0, 0, 300, 200), pens)
}
