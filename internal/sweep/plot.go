package sweep

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// colours of lines that can be told from each other on light and dark paper, by
// those who do not see red from green, too (after Okabe and Ito).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8c6d00", "#56b4e9"}

// The plot's measures.
const (
	plotWidth, plotHeight    = 640, 260
	plotLeft, plotBottom     = 60, 44
	plotRight, plotTop       = 16, 28
	mostNamed                = 6 // lines that have a colour and a name of their own
	plotInnerW, plotInnerH   = plotWidth - plotLeft - plotRight, plotHeight - plotTop - plotBottom
	tickLength, tickDistance = 4, 18
)

// differencePlot is how far the pictures of each row are from the one with
// γ = 1, over γ, as an SVG; nothing where there is nothing to compare.
func differencePlot(gammas []string, rows []pageRow) template.HTML {
	var at []float64
	for _, g := range gammas {
		v, err := strconv.ParseFloat(g, 64)
		if err != nil {
			return ""
		}
		at = append(at, v)
	}
	low, high, most, points := math.Inf(1), math.Inf(-1), 0.0, 0
	for _, r := range rows {
		for i, c := range r.Cells {
			if c.differs >= 0 {
				low, high, most, points = math.Min(low, at[i]), math.Max(high, at[i]), math.Max(most, c.differs), points+1
			}
		}
	}
	if points < 2 || low == high {
		return ""
	}
	top := ceiling(most)
	x := func(v float64) float64 { return plotLeft + (v-low)/(high-low)*plotInnerW }
	y := func(v float64) float64 { return plotTop + (1-v/top)*plotInnerH }

	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" width="%d" role="img" aria-label="Difference to γ = 1 over γ; the numbers are below the pictures">`, plotWidth, plotHeight, plotWidth)
	fmt.Fprintf(&b, `<text x="0" y="14">difference to γ = 1 (root mean square, of 255)</text>`)
	for i := range 5 {
		v := top * float64(i) / 4
		fmt.Fprintf(&b, `<line class="axis" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text x="%d" y="%.1f" text-anchor="end">%.3g</text>`,
			plotLeft, plotWidth-plotRight, y(v), y(v), plotLeft-tickLength-2, y(v)+4, v)
	}
	for i, g := range gammas {
		if crowded := len(gammas) > 12 && i%(len(gammas)/12+1) != 0; at[i] < low || at[i] > high || crowded {
			continue
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`, x(at[i]), plotTop+plotInnerH+tickDistance, template.HTMLEscapeString(g))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">γ</text>`, plotLeft+plotInnerW/2, plotHeight-6)
	for i, r := range rows {
		b.WriteString(line(r, colours[i%len(colours)], len(rows) > mostNamed, func(k int) (float64, float64) { return x(at[k]), y(r.Cells[k].differs) }))
	}
	b.WriteString("</svg>")
	if len(rows) > 1 && len(rows) <= mostNamed {
		b.WriteString(`<p class="legend">`)
		for i, r := range rows {
			fmt.Fprintf(&b, `<span><span style="color:%s" aria-hidden="true">━</span> %s</span>`, colours[i%len(colours)], template.HTMLEscapeString(r.Label))
		}
		b.WriteString("</p>")
	}
	return template.HTML(b.String())
}

// line is a row's points and what joins them.
func line(r pageRow, colour string, crowd bool, place func(int) (float64, float64)) string {
	var path, dots strings.Builder
	command := "M"
	for i, c := range r.Cells {
		if c.differs < 0 {
			continue
		}
		x, y := place(i)
		fmt.Fprintf(&path, "%s%.1f %.1f", command, x, y)
		fmt.Fprintf(&dots, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, x, y, colour)
		command = "L"
	}
	opacity := ""
	if crowd {
		opacity = ` opacity="0.4"`
	}
	return fmt.Sprintf(`<g%s><path class="series" stroke="%s" d="%s"/>%s</g>`, opacity, colour, path.String(), dots.String())
}

// ceiling is the next of 1, 2, 5 times a power of ten.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}
