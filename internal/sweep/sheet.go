package sweep

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"

	"golang.org/x/image/draw"

	"taca/internal/figure"
)

// table is a prompt's pictures as a contact sheet shows them.
type table struct {
	title, shared string
	columns       []string         // labels
	rows          []string         // labels, empty where there is one row
	pictures      [][]*image.NRGBA // by row and column; nil where none is painted
}

// The sheet's measures in pixels.
const (
	margin    = 16
	gap       = 4
	textSize  = 13
	titleSize = 17
	cellSide  = 256              // longest
	mostArea  = 64 * 1000 * 1000 // of all pictures
	leastSide = 32
	mostRows  = 50  // of a sheet; then another begins
	mostLabel = 220 // width of a row's label
)

var absent = color.NRGBA{230, 230, 230, 255}

// side is the longest side of a picture on a sheet of so many.
func side(pictures int) int {
	return min(cellSide, max(leastSide, int(math.Sqrt(float64(mostArea)/float64(max(pictures, 1))))))
}

// sheet draws the table as a PNG. It depends on nothing else.
func (t *table) sheet() ([]byte, error) {
	text, err := figure.NewLetters(textSize)
	if err != nil {
		return nil, err
	}
	heading, err := figure.NewLetters(titleSize)
	if err != nil {
		return nil, err
	}
	cell := t.cell()
	labels := 0
	for _, r := range t.rows {
		for _, line := range text.Wrap(r, mostLabel) {
			labels = max(labels, text.Width(line)+margin)
		}
	}
	width := max(labels+len(t.columns)*(cell.X+gap)-gap, 320)
	title, shared := heading.Wrap(t.title, width), text.Wrap(t.shared, width)
	top := margin + len(title)*(titleSize+figure.LineSpace) + len(shared)*(textSize+figure.LineSpace) + margin/2
	body := top + textSize + figure.LineSpace
	out := figure.New(width+2*margin, body+len(t.pictures)*(cell.Y+gap)-gap+margin)

	y := heading.Write(out, figure.Ink, margin, margin, title...)
	text.Write(out, figure.Ink, margin, y, shared...)
	for i, label := range t.columns {
		text.Write(out, figure.Ink, margin+labels+i*(cell.X+gap), top, label)
	}
	for i, row := range t.pictures {
		y := body + i*(cell.Y+gap)
		if labels > 0 {
			text.Write(out, figure.Ink, margin, y, text.Wrap(t.rows[i], mostLabel)...)
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
