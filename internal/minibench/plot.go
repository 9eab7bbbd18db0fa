package minibench

import (
	"fmt"
	"image"
	"image/color"

	"taca/internal/figure"
)

// The plot's measures, in pixels.
const (
	plotWidth   = 1600
	plotMargin  = 40
	plotHead    = 100
	plotRow     = 32
	plotAround  = 90 // a panel's title and axis
	plotBetween = 30
)

// Plot draws the scores, and beside them what each setting changes.
func (r *Report) Plot() (image.Image, error) {
	pens, err := figure.NewPens()
	if err != nil {
		return nil, err
	}
	panels := [][]*figure.Whiskers{
		{r.panel("All right, %", false, func(row *Row) *Interval { return &row.Right })},
		{r.panel("Objects found, %", false, func(row *Row) *Interval { return &row.Objects })},
	}
	if len(r.Settings) > 1 {
		to := ", points against " + r.Settings[0]
		panels[0] = append(panels[0], r.panel("All right"+to, true, func(row *Row) *Interval { return row.RightGain }))
		panels[1] = append(panels[1], r.panel("Objects found"+to, true, func(row *Row) *Interval { return row.ObjectsGain }))
	}
	height := plotAround + plotRow*len(panels[0][0].Rows)
	img := figure.New(plotWidth, plotHead+2*(height+plotBetween))
	pens.Title.Write(img, figure.Ink, plotMargin, 14, pens.Title.Shorten(r.Shared, plotWidth-2*plotMargin))
	pens.Small.Write(img, figure.Grey, plotMargin, 58, r.asked()+"; 95 % intervals; judged by the embedded checker, which knows the embedded model's world alone")
	for i, line := range panels {
		width := (plotWidth - plotMargin) / len(line)
		top := plotHead + i*(height+plotBetween)
		for j, p := range line {
			left := plotMargin + j*width
			p.Draw(img, image.Rect(left, top, left+width-plotMargin, top+height), pens)
		}
	}
	return img, nil
}

// panel is one number of all rows; all panels have the same rows, so that they
// stand beside each other.
func (r *Report) panel(title string, zero bool, of func(*Row) *Interval) *figure.Whiskers {
	p := &figure.Whiskers{Title: title, Zero: zero, Tick: func(v float64) string { return fmt.Sprintf("%g", v) }}
	for i := range r.Rows {
		row := &r.Rows[i]
		if i == 0 || row.Category != r.Rows[i-1].Category {
			p.Rows = append(p.Rows, figure.Whisker{Label: row.Category, Heading: true})
		}
		v := of(row)
		if v == nil { // the first against itself
			v = &Interval{}
		}
		p.Rows = append(p.Rows, figure.Whisker{Label: row.Setting, Colour: r.colour(row.Setting), Value: 100 * v.Value, Low: 100 * v.Low, High: 100 * v.High})
	}
	return p
}

// colour sets the first setting apart from those that are compared with it.
func (r *Report) colour(setting string) color.NRGBA {
	if setting == r.Settings[0] {
		return figure.Blue
	}
	return figure.Vermilion
}
