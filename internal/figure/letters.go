package figure

import (
	"image"
	"image/color"
	"image/draw"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// LineSpace is the pixels between two lines of text.
const LineSpace = 5

// Letters writes text of one size, in Go's own font.
type Letters struct {
	Size int // pixels
	face font.Face
}

// NewLetters are letters of so many pixels.
func NewLetters(size int) (*Letters, error) { return newLetters(goregular.TTF, size) }

// NewBold are heavier ones.
func NewBold(size int) (*Letters, error) { return newLetters(gobold.TTF, size) }

func newLetters(ttf []byte, size int) (*Letters, error) {
	parsed, err := opentype.Parse(ttf)
	if err != nil {
		return nil, err
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: float64(size), DPI: 72, Hinting: font.HintingFull})
	return &Letters{size, face}, err
}

// Width is that of a line, in pixels.
func (l *Letters) Width(line string) int { return font.MeasureString(l.face, line).Ceil() }

// Wrap breaks text into lines of at most so many pixels, between words where
// that can be.
func (l *Letters) Wrap(text string, most int) []string {
	var lines []string
	line := ""
	flush := func() {
		if line != "" {
			lines = append(lines, line)
		}
		line = ""
	}
	for _, word := range strings.Fields(text) {
		if next := strings.TrimPrefix(line+" "+word, " "); l.Width(next) <= most {
			line = next
			continue
		}
		flush()
		for _, r := range word {
			if l.Width(line+string(r)) > most {
				flush()
			}
			line += string(r)
		}
	}
	flush()
	return lines
}

// Shorten is as much of a line as has room in so many pixels, and three dots.
func (l *Letters) Shorten(line string, most int) string {
	if l.Width(line) <= most {
		return line
	}
	const dots = "…"
	runes := []rune(line)
	for len(runes) > 0 && l.Width(string(runes)+dots) > most {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + dots
}

// Write draws lines with their upper left corner at (x, y), and returns where
// the next would begin.
func (l *Letters) Write(to draw.Image, ink color.Color, x, y int, lines ...string) int {
	pen := font.Drawer{Dst: to, Src: image.NewUniform(ink), Face: l.face}
	for _, line := range lines {
		pen.Dot = fixed.P(x, y+l.Size)
		pen.DrawString(line)
		y += l.Size + LineSpace
	}
	return y
}
