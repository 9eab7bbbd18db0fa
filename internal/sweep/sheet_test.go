package sweep

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"strings"
	"testing"
)

func solid(c color.NRGBA) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 40, 36))
	draw.Draw(img, img.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
	return img
}

// TestSheet: every picture is in its row and column, what is missing is grey,
// labels are drawn beside and above, and the bytes are the same every time.
func TestSheet(t *testing.T) {
	red, green, blue := color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{0, 0, 255, 255}
	made := func(title string) []byte {
		sheet := &table{title: title, shared: "what is shared", columns: []string{"γ 1", "γ 1.2"}, rows: []string{"seed 0", "seed 1"},
			pictures: [][]*image.NRGBA{{solid(red), solid(green)}, {nil, solid(blue)}}}
		data, err := sheet.sheet()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	data := made("a title")
	if !bytes.Equal(data, made("a title")) {
		t.Error("the same sheet has other bytes")
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	width, height := img.Bounds().Dx(), img.Bounds().Dy()
	found := map[color.NRGBA]image.Rectangle{}
	dark := 0
	for y := range height {
		for x := range width {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			if c == absent && !(x > 0 && img.At(x-1, y) == img.At(x, y)) && img.At(x+1, y) != img.At(x, y) {
				continue // the edge of a letter is as grey
			}
			found[c] = found[c].Union(image.Rect(x, y, x+1, y+1))
			if c.R < 90 && c.G < 90 && c.B < 90 {
				dark++
			}
		}
	}
	for _, c := range []color.NRGBA{red, green, blue, absent} {
		if found[c].Size() != image.Pt(40, 36) {
			t.Errorf("%v covers %v", c, found[c])
		}
	}
	if found[red].Min.Y != found[green].Min.Y || found[green].Min.X != found[blue].Min.X || found[absent].Min != image.Pt(found[red].Min.X, found[blue].Min.Y) ||
		found[red].Max.X >= found[green].Min.X || found[red].Max.Y >= found[blue].Min.Y {
		t.Errorf("pictures lie at %v, %v, %v, %v", found[red], found[green], found[absent], found[blue])
	}
	if dark < 200 {
		t.Errorf("only %d pixels are text", dark)
	}
	for what, area := range map[string]image.Rectangle{
		"the title": image.Rect(0, 0, width, found[red].Min.Y-40), "a column": image.Rect(found[green].Min.X, found[green].Min.Y-textSize-2, width, found[green].Min.Y),
		"a row": image.Rect(0, found[blue].Min.Y, found[red].Min.X-1, height),
	} {
		if !inked(img, area) {
			t.Errorf("%s has no label in %v", what, area)
		}
	}
	if tall, err := png.Decode(bytes.NewReader(made(strings.Repeat("a very long title ", 20)))); err != nil || tall.Bounds().Dx() != width || tall.Bounds().Dy() <= height+5*titleSize {
		t.Errorf("a long title makes it %v (%v), it was %v", tall.Bounds(), err, img.Bounds())
	}
}

func inked(img image.Image, in image.Rectangle) bool {
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			if r, _, _, _ := img.At(x, y).RGBA(); r < 0x6000 {
				return true
			}
		}
	}
	return false
}

// TestSides: a sheet of thousands stays a file that can be opened.
func TestSides(t *testing.T) {
	for n, want := range map[int]int{1: 256, 900: 256, 4000: 126, 1e6: leastSide} {
		if got := side(n); got != want {
			t.Errorf("pictures of %d have sides of %d, want %d", n, got, want)
		}
	}
	big := image.NewNRGBA(image.Rect(0, 0, 300, 100))
	if got := fitted(big, 150).Bounds().Size(); got != image.Pt(150, 50) {
		t.Errorf("300×100 becomes %v", got)
	}
	if fitted(big, 300) != big {
		t.Error("what fits is scaled")
	}
}

// TestDifferencePlot holds a line to points that were worked out by hand: 564
// pixels between γ 1 and γ 1.4 from 60 on, 188 between 10 and 0 from 28 down.
func TestDifferencePlot(t *testing.T) {
	row := func(values ...float64) pageRow {
		r := pageRow{Label: "seed <7>"}
		for _, v := range values {
			r.Cells = append(r.Cells, pageCell{differs: v})
		}
		return r
	}
	got := string(differencePlot([]string{"1", "1.1", "1.4"}, []pageRow{row(0, 5, 10), row(0, -1, 2.5)}))
	want := []string{`d="M60.0 216.0L201.0 122.0L624.0 28.0"`, `d="M60.0 216.0L624.0 169.0"`, "seed &lt;7&gt;"}
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%s lacks %s", got, w)
		}
	}
	for _, nothing := range [][]pageRow{{row(-1, -1, -1)}, {row(0, -1, -1)}} {
		if got := differencePlot([]string{"1", "1.1", "1.4"}, nothing); got != "" {
			t.Errorf("nothing to compare is drawn as %s", got)
		}
	}
	for v, want := range map[float64]float64{0: 1, 0.3: 0.5, 1: 1, 1.01: 2, 4: 5, 7: 10, 300: 500} {
		if got := ceiling(v); got < want*0.999 || got > want*1.001 {
			t.Errorf("above %v is %v, want %v", v, got, want)
		}
	}
}
