package report

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"strings"

	"taca/internal/figure"
)

// The measures of figures, in pixels.
const (
	sheetWidth  = 1640
	margin      = 40
	panelHeight = 440
	panelGap    = 48
)

// colourOf is a run's.
func colourOf(i int) color.NRGBA { return []color.NRGBA{figure.Blue, figure.Vermilion}[i%2] }

// label is how a figure calls a run.
func (r *Report) label(i int) string {
	if r.Runs[i].Name == "plain" {
		return "plain attention (γ = 1)"
	}
	most := float32(1)
	for _, s := range r.Runs[i].Steps {
		if math.Abs(float64(s.Gamma)-1) > math.Abs(float64(most)-1) {
			most = s.Gamma
		}
	}
	return fmt.Sprintf("TACA (γ = %.4g)", most)
}

// Curves draws the share of text and the entropy over the steps, and the share
// by block and by word where gamma acts (arXiv 2506.07986, figure 2).
func (r *Report) Curves(chosen []Chosen) (*image.NRGBA, error) {
	pens, err := figure.NewPens()
	if err != nil {
		return nil, err
	}
	about := fmt.Sprintf("%s, %d visual and %d text tokens. Means over queries and heads, and over blocks where none are told apart.",
		r.Model, r.VisualTokens, r.TextTokens)
	head := r.header(pens, sheetWidth, "How much visual tokens attend to text", about)
	out := figure.New(sheetWidth, head.height+2*panelHeight+panelGap+margin)
	head.draw(out, pens)
	width := (sheetWidth - 2*margin - panelGap) / 2
	panel := func(column, row int) image.Rectangle {
		at := image.Pt(margin+column*(width+panelGap), head.height+row*(panelHeight+panelGap))
		return image.Rectangle{at, at.Add(image.Pt(width, panelHeight))}
	}
	shares, entropies := r.overSteps()
	shares.Draw(out, panel(0, 0), pens)
	entropies.Draw(out, panel(1, 0), pens)
	r.overBlocks().Draw(out, panel(0, 1), pens)
	r.dumbbells(chosen).Draw(out, panel(1, 1), pens)
	return out, nil
}

// overSteps is the two upper charts.
func (r *Report) overSteps() (shares, entropies *figure.Chart) {
	shares = &figure.Chart{Title: "Share of attention that text has", Across: "step", Tick: percent, FromZero: true, First: 1,
		Level: &figure.Level{Value: float64(r.EvenShare), Label: "if attention were even: " + percent(float64(r.EvenShare))}}
	entropies = &figure.Chart{Title: "Entropy of attention, nats", Across: "step", First: 1, Tick: short}
	if early := r.early(); len(early) < len(r.Runs[0].Steps) {
		for i := 0; i < len(early); {
			last := i
			for last+1 < len(early) && early[last+1] == early[last]+1 {
				last++
			}
			shares.Shaded = append(shares.Shaded, figure.Shade{First: early[i], Last: early[last], Label: "γ ≠ 1"})
			i = last + 1
		}
		entropies.Shaded = shares.Shaded
	}
	for i, run := range r.Runs {
		share, entropy := figure.Curve{Colour: colourOf(i)}, figure.Curve{Colour: colourOf(i)}
		for _, s := range run.Steps {
			share.Values, entropy.Values = append(share.Values, float64(s.Share)), append(entropy.Values, float64(s.Entropy))
		}
		shares.Curves, entropies.Curves = append(shares.Curves, share), append(entropies.Curves, entropy)
	}
	return shares, entropies
}

// overBlocks is the share by block, averaged over the early steps.
func (r *Report) overBlocks() *figure.Chart {
	early := r.early()
	c := &figure.Chart{Title: "Share of text by block, " + r.which(early), Across: "block", Tick: percent, FromZero: true}
	for i, run := range r.Runs {
		curve := figure.Curve{Colour: colourOf(i)}
		for k := range run.Steps[0].Blocks {
			curve.Values = append(curve.Values, run.over(early, func(s Step) float32 { return s.Blocks[k].Share }))
		}
		c.Curves = append(c.Curves, curve)
	}
	return c
}

// dumbbells is the share by word, averaged over the early steps.
func (r *Report) dumbbells(chosen []Chosen) *figure.Dots {
	early := r.early()
	d := &figure.Dots{Title: "Share of each word, " + r.which(early), Tick: percent}
	for _, w := range chosen {
		row := figure.DotRow{Label: w.Label}
		for i, run := range r.Runs {
			share := run.over(early, func(s Step) float32 { return s.Words[w.Index] })
			row.Dots = append(row.Dots, figure.Dot{Colour: colourOf(i), Value: share})
		}
		d.Rows = append(d.Rows, row)
	}
	return d
}

// which names steps that follow one another.
func (r *Report) which(steps []int) string {
	switch first, last := steps[0]+1, steps[len(steps)-1]+1; {
	case len(steps) == len(r.Runs[0].Steps):
		return "all steps"
	case first == last:
		return fmt.Sprintf("step %d", first)
	default:
		return fmt.Sprintf("steps %d–%d", first, last)
	}
}

func percent(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.3g", 100*v), ".0") + " %" }
func short(v float64) string   { return fmt.Sprintf("%.4g", v) }

// header is a figure's title, prompt, remark and legend.
type header struct {
	title, legend []string
	prompt, about []string
	height        int
	colours       []color.NRGBA
}

func (r *Report) header(pens figure.Pens, sheet int, title, about string) header {
	width := sheet - 2*margin
	h := header{title: pens.Title.Wrap(title, width), about: pens.Small.Wrap(about, width)}
	h.prompt = pens.Text.Wrap("“"+r.Prompt+"”", width)
	if most := 4; len(h.prompt) > most {
		h.prompt = append(h.prompt[:most-1], pens.Text.Shorten(strings.Join(h.prompt[most-1:], " "), width))
	}
	for i := range r.Runs {
		h.legend, h.colours = append(h.legend, r.label(i)), append(h.colours, colourOf(i))
	}
	lines := func(l *figure.Letters, n int) int { return n * (l.Size + figure.LineSpace) }
	h.height = margin + lines(pens.Title, len(h.title)) + lines(pens.Text, len(h.prompt)) + lines(pens.Small, len(h.about)) + lines(pens.Text, 1) + 44
	return h
}

// draw draws the header at the top of a figure.
func (h header) draw(to draw.Image, pens figure.Pens) {
	y := pens.Title.Write(to, figure.Ink, margin, margin-8, h.title...) + 4
	y = pens.Text.Write(to, figure.Ink, margin, y, h.prompt...) + 2
	y = pens.Small.Write(to, figure.Grey, margin, y, h.about...) + 8
	x := margin
	for i, label := range h.legend {
		middle := float64(y) + float64(pens.Text.Size)/2 + 2
		figure.Line(to, h.colours[i], 4, figure.Point{X: float64(x), Y: middle}, figure.Point{X: float64(x) + 34, Y: middle})
		figure.Disc(to, h.colours[i], figure.Point{X: float64(x) + 17, Y: middle}, 6)
		pens.Text.Write(to, figure.Ink, x+46, y, label)
		x += 46 + pens.Text.Width(label) + 40
	}
}
