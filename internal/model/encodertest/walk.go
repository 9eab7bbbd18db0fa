package encodertest

import (
	"context"
	"maps"
	"slices"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/dry"
	"taca/internal/model/modeltest"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
	"taca/internal/trace"
)

// Opener opens a model from the text of its config.json.
type Opener func(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (Model, error)

// Model is what encoders and decoders have in common: they make of a run's
// input what the golden calls its outputs, in scratch memory.
type Model interface {
	Forward(ctx context.Context, run Run) (map[string]tensor.Tensor, error)
	Drop()
}

// backend is something goldens are run on.
type backend struct {
	name string
	open func() (tensor.Backend, error)
	fast bool // enough for models of true width
}

// backends are the reference, and the processor with every instruction set
// this machine has.
func backends() []backend {
	all := []backend{{"reference", func() (tensor.Backend, error) { return opstest.NewReference(), nil }, false}}
	for _, isa := range cpu.Available() {
		open := func() (tensor.Backend, error) { return cpu.OpenISA(isa, 2) }
		all = append(all, backend{"cpu " + isa, open, isa != "portable"})
	}
	return all
}

// tolerance is the relative error allowed at every name; rounding alone is a
// hundred times less.
const tolerance = 1e-4

// Walk compares every module's output with the reference's, in F32, in
// forward order: the first that differs is the failure. Then it compares what
// the model returns.
func Walk(t *testing.T, pattern string, open Opener) { each(t, pattern, open, backends(), walk) }

// LowPrecision compares what the model returns in BF16 with the reference in
// F32. The error may be twice that of the reference in bf16.
func LowPrecision(t *testing.T, pattern string, open Opener) {
	each(t, pattern, open, backends(), lowPrecision)
}

// FullWidth is Walk and LowPrecision for models of true width, which not all
// backends are fast enough for.
func FullWidth(t *testing.T, pattern string, open Opener) {
	fast := slices.DeleteFunc(backends(), func(b backend) bool { return !b.fast })
	t.Run("F32", func(t *testing.T) { each(t, pattern, open, fast, walk) })
	t.Run("BF16", func(t *testing.T) { each(t, pattern, open, fast, lowPrecision) })
}

func walk(t *testing.T, b tensor.Backend, golden Golden, open Opener) {
	recorder := trace.Record(b)
	m := golden.Open(t, open, recorder, tensor.F32)
	for _, run := range golden.Runs {
		t.Run(run.Name, func(t *testing.T) {
			got := run.forward(t, recorder, m)
			report := trace.Compare(recorder.Take(), run.Seen, tolerance)
			if first, bad := report.First(); bad {
				t.Fatalf("%s is the first to differ\n%v", first.Name, report)
			}
			t.Logf("worst: %+v", report.Worst())
			report = trace.Compare(got, slices.Collect(maps.Values(run.Output)), tolerance)
			if first, bad := report.First(); bad {
				t.Fatalf("%s, which is returned, differs\n%v", first.Name, report)
			}
		})
	}
}

func lowPrecision(t *testing.T, b tensor.Backend, golden Golden, open Opener) {
	m := golden.Open(t, open, b, tensor.BF16)
	for _, run := range golden.Runs {
		t.Run(run.Name, func(t *testing.T) {
			for _, got := range run.forward(t, b, m) {
				CheckBF16(t, got, run.Output[got.Name], run.BF16[got.Name])
			}
		})
	}
}

// CheckBF16 allows got, computed in BF16, twice the error of naive, the
// reference in bf16.
func CheckBF16(t *testing.T, got, want, naive trace.Named) {
	t.Helper()
	budget := 2 * trace.Compare([]trace.Named{naive}, []trace.Named{want}, 0).Worst().Error
	report := trace.Compare([]trace.Named{got}, []trace.Named{want}, budget)
	if _, bad := report.First(); bad {
		t.Errorf("more than twice the error of naive bf16\n%v", report)
	}
	t.Logf("%s: error %.2e, budget %.2e", got.Name, report.Worst().Error, budget)
}

// Localizes changes one weight of a golden after the other, by name, and
// checks that the first module to differ is the one it belongs to.
func Localizes(t *testing.T, path string, open Opener, modules map[string]string) {
	golden := Goldens(t, path)[0]
	for weight, module := range modules {
		t.Run(weight, func(t *testing.T) {
			spoilt := golden
			spoilt.Weights = slices.Clone(golden.Weights)
			i := slices.IndexFunc(spoilt.Weights, func(p modeltest.Plan) bool { return p.Name == weight })
			if i < 0 {
				t.Fatal("the golden has no such weight")
			}
			spoilt.Weights[i].Scale *= 2
			recorder := trace.Record(opstest.NewReference())
			m := spoilt.Open(t, open, recorder, tensor.F32)
			golden.Runs[0].forward(t, recorder, m)
			first, _ := trace.Compare(recorder.Take(), golden.Runs[0].Seen, tolerance).First()
			if first.Name != module {
				t.Errorf("the first to differ is %q, want %q", first.Name, module)
			}
		})
	}
}

// forward runs m and downloads what it returns.
func (r Run) forward(t *testing.T, b tensor.Backend, m Model) []trace.Named {
	t.Helper()
	defer b.Release(b.Mark())
	out, err := m.Forward(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var found []trace.Named
	for _, name := range slices.Sorted(maps.Keys(out)) {
		n := trace.Named{Name: name, Rows: out[name].Rows, Cols: out[name].Cols}
		n.Values = make([]float32, n.Rows*n.Cols)
		b.Download(n.Values, out[name])
		found = append(found, n)
	}
	return found
}

// each runs check for all goldens on the given backends.
func each(t *testing.T, pattern string, open Opener, on []backend, check func(*testing.T, tensor.Backend, Golden, Opener)) {
	for _, golden := range Goldens(t, pattern) {
		for _, backend := range on {
			t.Run(golden.Name+"/"+backend.name, func(t *testing.T) {
				b, err := backend.open()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { b.Close() })
				check(t, b, golden, open)
			})
		}
	}
}

// Open opens the golden's model on b until the test ends, and reserves the
// scratch that a dry run of it took.
func (g Golden) Open(t *testing.T, open Opener, b tensor.Backend, d tensor.DType) Model {
	t.Helper()
	trial := dry.New()
	m, err := open(g.Config, g.Weights, trial, d)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range g.Runs {
		run.forward(t, trial, m)
	}
	if err := b.Reserve(trial.PeakScratch()); err != nil {
		t.Fatal(err)
	}
	if m, err = open(g.Config, g.Weights, b, d); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Drop)
	return m
}
