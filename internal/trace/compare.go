package trace

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Difference is how one matrix of a trace differs from the reference's.
type Difference struct {
	Name    string
	Error   float64 // ‖got − want‖ / ‖want‖
	MaxAbs  float64 // largest |got − want|
	Cosine  float64 // of the angle between got and want
	Problem string  // why they cannot be compared at all, or empty
}

// Report is a comparison of two traces, in forward order.
type Report struct {
	Tolerance   float64
	Differences []Difference
}

// Compare walks through got, which is in forward order, and finds each matrix
// in want by its name. What want has besides comes last, as a problem.
func Compare(got, want []Named, tolerance float64) Report {
	reference := make(map[string]Named, len(want))
	for _, w := range want {
		reference[w.Name] = w
	}
	report := Report{Tolerance: tolerance}
	for _, g := range got {
		w, ok := reference[g.Name]
		delete(reference, g.Name)
		switch {
		case !ok:
			report.problem(g.Name, "not in the reference")
		case g.Rows != w.Rows || g.Cols != w.Cols:
			report.problem(g.Name, fmt.Sprintf("is %d×%d, the reference %d×%d", g.Rows, g.Cols, w.Rows, w.Cols))
		default:
			report.Differences = append(report.Differences, difference(g.Name, g.Values, w.Values))
		}
	}
	for _, w := range want {
		if _, left := reference[w.Name]; left {
			report.problem(w.Name, "only in the reference")
		}
	}
	return report
}

func (r *Report) problem(name, what string) {
	r.Differences = append(r.Differences, Difference{Name: name, Problem: what})
}

func difference(name string, got, want []float32) Difference {
	var apart, gg, ww, gw, most float64
	for i, w := range want {
		g, w := float64(got[i]), float64(w)
		apart += (g - w) * (g - w)
		gg, ww, gw = gg+g*g, ww+w*w, gw+g*w
		most = math.Max(most, math.Abs(g-w))
	}
	d := Difference{Name: name, Error: math.Sqrt(apart / ww), MaxAbs: most, Cosine: gw / math.Sqrt(gg*ww)}
	if apart == 0 {
		d.Error, d.Cosine = 0, 1
	}
	return d
}

// Bad reports whether d is more than the report tolerates. What is not a
// number is.
func (r Report) Bad(d Difference) bool {
	return d.Problem != "" || !(d.Error <= r.Tolerance)
}

// First is the first difference that is Bad, which is where to look for the
// cause; false where there is none.
func (r Report) First() (Difference, bool) {
	for _, d := range r.Differences {
		if r.Bad(d) {
			return d, true
		}
	}
	return Difference{}, false
}

// Worst is the difference with the largest error, or one that is a problem.
func (r Report) Worst() Difference {
	var worst Difference
	for _, d := range r.Differences {
		if d.Problem != "" {
			return d
		}
		if !(d.Error <= worst.Error) {
			worst = d
		}
	}
	return worst
}

// String is a table for people, with an arrow at the first offender.
func (r Report) String() string {
	width := len("name")
	for _, d := range r.Differences {
		width = max(width, utf8.RuneCountInString(d.Name))
	}
	first, bad := r.First()
	var out strings.Builder
	fmt.Fprintf(&out, "%-*s  %10s  %10s  %12s\n", width, "name", "error", "max abs", "cosine")
	for _, d := range r.Differences {
		fmt.Fprintf(&out, "%-*s  ", width, d.Name)
		if d.Problem != "" {
			out.WriteString(d.Problem)
		} else {
			fmt.Fprintf(&out, "%10.2e  %10.2e  %12.9f", d.Error, d.MaxAbs, d.Cosine)
		}
		if bad && d.Name == first.Name {
			fmt.Fprintf(&out, "  <- first above %.1e", r.Tolerance)
		}
		out.WriteByte('\n')
	}
	return out.String()
}
