package report

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"

	"taca/internal/attention"
	"taca/internal/figure"
)

// The measures of a sheet of maps, in pixels.
const (
	mapSide  = 208 // longest of a map
	mapGap   = 10
	rowLabel = 108
	groupGap = 22 // between steps

	leastWidth = 1000 // of the sheet
)

// shownSteps are the early steps of the figure: the first, the last in which
// gamma acts, if it does not always, and the one after a quarter of all.
func (r *Report) shownSteps() []int {
	n, early := len(r.Runs[0].Steps), r.early()
	steps := []int{0, early[len(early)-1], n / 4}
	if len(early) == n {
		steps[1] = n / 8
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}

// Maps draws where in the picture each of the words is attended to from in some
// early steps, by every run (arXiv 2506.07986, figure 3). A word's maps share one
// scale.
func (r *Report) Maps(chosen []Chosen) (*image.NRGBA, error) {
	pens, err := figure.NewPens()
	if err != nil {
		return nil, err
	}
	columns := len(chosen) + 1
	size := r.mapSize(columns)
	left := margin + rowLabel
	width := max(leastWidth, left+columns*(size.X+mapGap)-mapGap+margin)
	head := r.header(pens, width, "Which parts of the picture attend to which word",
		"Attention of every visual token to a word, means over blocks and heads, laid over the picture that the run ended with. "+
			"A word's maps share one scale, whose end is the number below the word.")
	top := head.height + pens.Head.Size + pens.Small.Size + 3*figure.LineSpace
	steps := r.shownSteps()
	group := len(r.Runs)*(size.Y+mapGap) + groupGap
	out := figure.New(width, top+len(steps)*group+60)
	head.draw(out, pens)
	most := r.greatest(chosen, steps)
	x := func(column int) int { return left + column*(size.X+mapGap) }
	pens.Head.Write(out, figure.Ink, x(0), head.height, "picture")
	for k, w := range chosen {
		pens.Head.Write(out, figure.Ink, x(k+1), head.height, pens.Head.Shorten(w.Label, size.X))
		pens.Small.Write(out, figure.Grey, x(k+1), head.height+pens.Head.Size+figure.LineSpace, percent(most[k]))
	}
	for i, s := range steps {
		for j, run := range r.Runs {
			y := top + i*group + j*(size.Y+mapGap)
			r.rowOf(out, pens, run, s, j, y)
			picture := figure.Fit(run.image, size)
			draw.Draw(out, picture.Bounds().Add(image.Pt(x(0), y)), picture, image.Point{}, draw.Src)
			for k, w := range chosen {
				cell := r.mapOf(run, s, r.Words[w.Index]).Over(run.image, size, most[k])
				draw.Draw(out, cell.Bounds().Add(image.Pt(x(k+1), y)), cell, image.Point{}, draw.Src)
			}
		}
	}
	bar(out, pens, left, top+len(steps)*group)
	return out, nil
}

// rowOf writes what a row shows.
func (r *Report) rowOf(out draw.Image, pens figure.Pens, run Run, step, i, y int) {
	if i == 0 {
		pens.Head.Write(out, figure.Ink, margin, y, fmt.Sprintf("step %d", step+1))
		y += pens.Head.Size + figure.LineSpace
	}
	ink := colourOf(i)
	name := "plain"
	if run.Name != "plain" {
		name = "TACA"
	}
	pens.Text.Write(out, ink, margin, y, name, fmt.Sprintf("γ = %.4g", run.Steps[step].Gamma))
}

// mapSize is that of each map: the grid's shape, and as large as a sheet with so
// many columns has room for.
func (r *Report) mapSize(columns int) image.Point {
	most := float64(min(mapSide, (sheetWidth-2*margin-rowLabel)/columns-mapGap))
	longest := float64(max(r.Grid.Width, r.Grid.Height))
	side := func(n int) int { return max(8, int(math.Round(most*float64(n)/longest))) }
	return image.Pt(side(r.Grid.Width), side(r.Grid.Height))
}

func (r *Report) mapOf(run Run, step int, w attention.Word) figure.Map {
	return figure.Map{Width: r.Grid.Width, Height: r.Grid.Height, Values: run.seen[step].Map(w)}
}

// greatest is the highest value of each word's maps that are shown.
func (r *Report) greatest(chosen []Chosen, steps []int) []float64 {
	most := make([]float64, len(chosen))
	for k, w := range chosen {
		for _, run := range r.Runs {
			for _, s := range steps {
				most[k] = math.Max(most[k], slices.Max(r.mapOf(run, s, r.Words[w.Index]).Values))
			}
		}
	}
	return most
}

// bar is the scale's colours, from none to the most of a word.
func bar(out draw.Image, pens figure.Pens, x, y int) {
	const width, height = 360, 14
	pens.Small.Write(out, figure.Grey, x, y, "0")
	x += 22
	for i := range width {
		var c color.Color = figure.Heat(float64(i) / (width - 1))
		figure.Box(out, c, float64(x+i), float64(y)+6, float64(x+i+1), float64(y)+6+height)
	}
	pens.Small.Write(out, figure.Grey, x+width+10, y, "the number below the word")
}
