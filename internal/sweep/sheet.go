package sweep

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// table is a prompt's pictures as a contact sheet shows them.
type table struct {
	title, shared string
	columns       []string           // labels
	rows          []string           // labels, empty where there is one row
	pictures      [][]*image.NRGBA   // by row and column; nil where none is painted
	faces         map[bool]font.Face // by whether they are of the title
}

// The sheet's measures in pixels.
const (
	margin    = 16
	gap       = 4
	textSize  = 13
	titleSize = 17
	lineSpace = 5                // between lines of text
	cellSide  = 256              // longest
	mostArea  = 64 * 1000 * 1000 // of all pictures
	leastSide = 32
	mostRows  = 50  // of a sheet; then another begins
	mostLabel = 220 // width of a row's label
)

var (
	paper  = color.NRGBA{255, 255, 255, 255}
	ink    = color.NRGBA{17, 17, 17, 255}
	absent = color.NRGBA{230, 230, 230, 255}
)

// side is the longest side of a picture on a sheet of so many.
func side(pictures int) int {
	return min(cellSide, max(leastSide, int(math.Sqrt(float64(mostArea)/float64(max(pictures, 1))))))
}

// sheet draws the table as a PNG. It depends on nothing else.
func (t *table) sheet() ([]byte, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	t.faces = map[bool]font.Face{}
	for title, size := range map[bool]float64{false: textSize, true: titleSize} {
		if t.faces[title], err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull}); err != nil {
			return nil, err
		}
	}
	cell := t.cell()
	labels := 0
	for _, r := range t.rows {
		for _, line := range t.wrap(false, r, mostLabel) {
			labels = max(labels, t.width(false, line)+margin)
		}
	}
	width := max(labels+len(t.columns)*(cell.X+gap)-gap, 320)
	title, shared := t.wrap(true, t.title, width), t.wrap(false, t.shared, width)
	top := margin + len(title)*(titleSize+lineSpace) + len(shared)*(textSize+lineSpace) + margin/2
	body := top + textSize + lineSpace
	out := image.NewNRGBA(image.Rect(0, 0, width+2*margin, body+len(t.pictures)*(cell.Y+gap)-gap+margin))
	draw.Draw(out, out.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)

	y := t.write(out, true, title, margin, margin)
	t.write(out, false, shared, margin, y)
	for i, label := range t.columns {
		t.write(out, false, []string{label}, margin+labels+i*(cell.X+gap), top)
	}
	for i, row := range t.pictures {
		y := body + i*(cell.Y+gap)
		if labels > 0 {
			t.write(out, false, t.wrap(false, t.rows[i], mostLabel), margin, y)
		}
		for j, img := range row {
			at := image.Rectangle{Max: cell}.Add(image.Pt(margin+labels+j*(cell.X+gap), y))
			if img == nil {
				draw.Draw(out, at, image.NewUniform(absent), image.Point{}, draw.Src)
			} else {
				draw.Draw(out, at, img, image.Point{}, draw.Src)
			}
		}
	}
	var b bytes.Buffer
	err = png.Encode(&b, out)
	return b.Bytes(), err
}

// cell is the size of all pictures.
func (t *table) cell() image.Point {
	size := image.Pt(leastSide, leastSide)
	for _, row := range t.pictures {
		for _, img := range row {
			if img != nil {
				size = image.Pt(max(size.X, img.Bounds().Dx()), max(size.Y, img.Bounds().Dy()))
			}
		}
	}
	return size
}

// width is that of a line.
func (t *table) width(title bool, line string) int {
	return font.MeasureString(t.faces[title], line).Ceil()
}

// wrap breaks text into lines of at most so many pixels, between words where
// that can be.
func (t *table) wrap(title bool, text string, most int) []string {
	var lines []string
	line := ""
	flush := func() {
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
	}
	for _, word := range strings.Fields(text) {
		if next := strings.TrimPrefix(line+" "+word, " "); t.width(title, next) <= most {
			line = next
			continue
		}
		flush()
		for _, r := range word {
			if t.width(title, line+string(r)) > most {
				flush()
			}
			line += string(r)
		}
	}
	flush()
	return lines
}

// write draws lines from (x, y) down, and returns where the next would begin.
func (t *table) write(to *image.NRGBA, title bool, lines []string, x, y int) int {
	size := map[bool]int{false: textSize, true: titleSize}[title]
	pen := font.Drawer{Dst: to, Src: image.NewUniform(ink), Face: t.faces[title]}
	for _, line := range lines {
		pen.Dot = fixed.P(x, y+size)
		pen.DrawString(line)
		y += size + lineSpace
	}
	return y
}
