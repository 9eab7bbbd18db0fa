package minibench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"taca/internal/checker"
)

// All stands for the categories together.
const All = "all"

// Report is what was found.
type Report struct {
	Program  string   `json:"program"`
	Model    string   `json:"model"`
	Prompts  int      `json:"prompts_per_category"`
	Seed     int64    `json:"seed"`   // of the first prompt; each next has one more
	Shared   string   `json:"shared"` // what all settings have in common, in words
	Settings []string `json:"settings"`
	Rows     []Row    `json:"rows"`
}

// Row is one setting's score in one category, or in all.
type Row struct {
	Category string   `json:"category"`
	Setting  string   `json:"setting"`
	Pictures int      `json:"pictures"`
	Right    Interval `json:"right"`   // share of pictures with all that was asked for
	Objects  Interval `json:"objects"` // share of objects that are there
	// What the setting changes against the first; nil for that one.
	RightGain   *Interval `json:"right_gain,omitempty"`
	ObjectsGain *Interval `json:"objects_gain,omitempty"`
	// Worth is the checker's own, on true renders; nil where it was not measured.
	Worth *checker.Worth `json:"checker_on_true_renders,omitempty"`
}

// Answers is what the checker said of one category's pictures of one setting,
// in the order of the prompts.
type Answers struct{ Right, Objects []float64 }

// Add appends the rows of all categories: answers are by category and setting.
func (r *Report) Add(answers map[string][]Answers, worth func(category string) (checker.Worth, bool)) {
	together := make([]Answers, len(r.Settings))
	sum, known := checker.Worth{}, true
	for _, category := range Categories {
		for i, a := range answers[category] {
			together[i].Right = append(together[i].Right, a.Right...)
			together[i].Objects = append(together[i].Objects, a.Objects...)
		}
		w, ok := worth(category)
		known = known && ok
		sum = checker.Worth{Accepted: sum.Accepted + w.Accepted, Rejected: sum.Rejected + w.Rejected, Pairs: sum.Pairs + w.Pairs}
		r.add(category, answers[category], w, ok)
	}
	r.add(All, together, sum, known)
}

func (r *Report) add(category string, answers []Answers, worth checker.Worth, known bool) {
	for i, a := range answers {
		row := Row{Category: category, Setting: r.Settings[i], Pictures: len(a.Right), Right: Wilson(a.Right), Objects: Wilson(a.Objects)}
		if known {
			row.Worth = &worth
		}
		if i > 0 {
			right, objects := Paired(a.Right, answers[0].Right), Paired(a.Objects, answers[0].Objects)
			row.RightGain, row.ObjectsGain = &right, &objects
		}
		r.Rows = append(r.Rows, row)
	}
}

// asked says how much stands behind the numbers.
func (r *Report) asked() string {
	return fmt.Sprintf("%d prompts a category, each with its own noise, seeds from %d", r.Prompts, r.Seed)
}

// Print writes the table.
func (r *Report) Print(out io.Writer) error {
	fmt.Fprintf(out, "%s\n%s\n\n", r.Shared, r.asked())
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	head := []string{"category", "setting", "all right", "objects found", "checker: true accepted", "wrong rejected"}
	if len(r.Settings) > 1 {
		first := "against " + r.Settings[0]
		head = slices.Insert(head, 3, first)
		head = slices.Insert(head, 5, first)
	}
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for i, row := range r.Rows {
		if i > 0 && row.Category != r.Rows[i-1].Category && len(r.Settings) > 1 {
			fmt.Fprintln(w, strings.Repeat("\t", len(head)-1))
		}
		fmt.Fprintln(w, strings.Join(row.columns(len(r.Settings) > 1), "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(table.String()) {
		fmt.Fprintln(out, strings.TrimRight(line, " \n"))
	}
	_, err := fmt.Fprint(out, "\n", remarks)
	return err
}

const remarks = `In %, with 95 % intervals; differences in points, between pictures of the same prompt and noise: where the interval leaves
out 0, * stands behind it. The judge is the embedded checker. It knows the embedded model's solids, colours and materials and
nothing else; its last two columns are what it did on true renders of two objects, described rightly and with one word wrong.
`

// columns are the row's cells.
func (r *Row) columns(compared bool) []string {
	cells := []string{r.Category, r.Setting, r.Right.share(), r.Objects.share(), "not measured", "not measured"}
	if w := r.Worth; w != nil {
		cells[4], cells[5] = fmt.Sprintf("%d of %d", w.Accepted, w.Pairs), fmt.Sprintf("%d of %d", w.Rejected, w.Pairs)
	}
	if compared {
		cells = slices.Insert(cells, 3, r.RightGain.gain())
		cells = slices.Insert(cells, 5, r.ObjectsGain.gain())
	}
	return cells
}

// share is the interval in per cent.
func (i Interval) share() string {
	return fmt.Sprintf("%.1f (%.1f to %.1f)", 100*i.Value, 100*i.Low, 100*i.High)
}

// gain is the interval in points.
func (i *Interval) gain() string {
	if i == nil {
		return "-"
	}
	mark := ""
	if i.Without(0) {
		mark = " *"
	}
	return fmt.Sprintf("%+.1f (%+.1f to %+.1f)%s", 100*i.Value, 100*i.Low, 100*i.High, mark)
}
