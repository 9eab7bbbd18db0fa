package trace_test

import (
	"math"
	"strings"
	"testing"

	"taca/internal/trace"
)

func row(name string, values ...float32) trace.Named {
	return trace.Named{Name: name, Rows: 1, Cols: len(values), Values: values}
}

func TestCompareFindsTheFirstOffender(t *testing.T) {
	want := []trace.Named{row("c", 1, 2), row("a", 3, 4), row("b", 1, 0)}
	got := []trace.Named{row("a", 3, 4), row("b", 1, 0.5), row("c", 2, 4)}
	report := trace.Compare(got, want, 1e-4)
	first, bad := report.First()
	if !bad || first.Name != "b" {
		t.Fatalf("first offender is %q (%v), want b, the first in the order of got:\n%v", first.Name, bad, report)
	}
	if first.Error != 0.5 || first.MaxAbs != 0.5 || math.Abs(first.Cosine-1/math.Sqrt(1.25)) > 1e-15 {
		t.Errorf("b differs by %+v", first)
	}
	if worst := report.Worst(); worst.Name != "c" || worst.Error != 1 {
		t.Errorf("worst is %+v, want c with error 1", worst)
	}
	if lines := strings.Split(report.String(), "\n"); strings.Count(report.String(), "<-") != 1 || !strings.Contains(lines[2], "<-") {
		t.Errorf("the table does not point at b alone:\n%v", report)
	}
}

func TestCompareToleratesNothingElse(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		what      string
		got, want []trace.Named
		problem   string
	}{
		{"missing", nil, []trace.Named{row("a", 1)}, "only in the reference"},
		{"extra", []trace.Named{row("a", 1)}, nil, "not in the reference"},
		{"shape", []trace.Named{row("a", 1, 2)}, []trace.Named{{Name: "a", Rows: 2, Cols: 1, Values: []float32{1, 2}}}, "is 1×2, the reference 2×1"},
		{"not a number", []trace.Named{row("a", nan)}, []trace.Named{row("a", 1)}, ""},
		{"reference is zero", []trace.Named{row("a", 1e-9)}, []trace.Named{row("a", 0)}, ""},
	} {
		first, bad := trace.Compare(c.got, c.want, 0.1).First()
		if !bad || first.Problem != c.problem {
			t.Errorf("%s: %+v, bad %v; want bad and problem %q", c.what, first, bad, c.problem)
		}
	}
	same := []trace.Named{row("a", 0, 0), row("b", 1, 2)}
	if first, bad := trace.Compare(same, same, 0).First(); bad {
		t.Errorf("a trace differs from itself: %+v", first)
	}
}
