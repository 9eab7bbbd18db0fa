package minibench

import (
	"strings"
	"testing"

	"taca/internal/checker"
	"taca/internal/figure"
)

func TestQuestions(t *testing.T) {
	all, err := Questions(MostPrompts)
	if err != nil || len(all) != 4*MostPrompts {
		t.Fatalf("%d prompts (%v)", len(all), err)
	}
	few, err := Questions(3)
	if err != nil || len(few) != 12 {
		t.Fatalf("%d prompts (%v)", len(few), err)
	}
	for i, q := range few {
		if q.Text != all[i].Text || q.Category != Categories[i%4] {
			t.Errorf("prompt %d is %+v among few, %+v among all", i, q, all[i])
		}
	}
	for _, n := range []int{0, -1, MostPrompts + 1} {
		if _, err := Questions(n); err == nil {
			t.Errorf("there are %d prompts", n)
		}
	}
}

// scored is a report of two settings, the second better at colours alone.
func scored(settings ...string) *Report {
	r := &Report{Prompts: 64, Shared: "some model", Settings: settings}
	answers := map[string][]Answers{}
	for _, c := range Categories {
		for i := range settings {
			right := 16
			if i > 0 && c == "color" {
				right = 40
			}
			answers[c] = append(answers[c], Answers{Right: some(right, 64), Objects: some(right+8, 64)})
		}
	}
	r.Add(answers, func(category string) (checker.Worth, bool) {
		return checker.Worth{Accepted: 98, Rejected: 99, Pairs: 100}, category != "shape"
	})
	return r
}

func TestReport(t *testing.T) {
	r := scored("γ 1", "γ 1.2")
	if len(r.Rows) != 10 || r.Rows[0].RightGain != nil || r.Rows[8].Pictures != 256 || r.Rows[9].Right.Value != 88./256 {
		t.Errorf("rows %+v", r.Rows)
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"color     γ 1      25.0 (16.0 to 36.8)  -                         37.5 (26.7 to 49.7)  -                         98 of 100               99 of 100\n",
		"color     γ 1.2    62.5 (50.3 to 73.3)  +37.5 (+24.8 to +48.0) *",
		"shape     γ 1.2    25.0 (16.0 to 36.8)  +0.0 (-2.8 to +2.8)",
		"not measured",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), " \n") {
		t.Error("lines end with blanks")
	}
	out.Reset()
	if err := scored("γ 1").Print(&out); err != nil || strings.Contains(out.String(), "against") {
		t.Errorf("one setting is compared with itself (%v):\n%s", err, out.String())
	}
}

// TestPlot: scores are drawn, in the colour of the first setting and that of
// the others.
func TestPlot(t *testing.T) {
	for _, settings := range [][]string{{"γ 1"}, {"γ 1", "γ 1.2", "LoRA x, γ 1.2"}} {
		img, err := scored(settings...).Plot()
		if err != nil {
			t.Fatal(err)
		}
		count := map[any]int{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				count[img.At(x, y)]++
			}
		}
		if count[figure.Blue] < 1000 || (count[figure.Vermilion] < 1000) != (len(settings) == 1) {
			t.Errorf("%d settings: %d pixels blue, %d vermilion", len(settings), count[figure.Blue], count[figure.Vermilion])
		}
	}
}
