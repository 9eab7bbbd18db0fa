package modeltest

import (
	"encoding/json"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/model"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/trace"
)

// Opener opens a family's transformer from the text of its config.json.
type Opener func(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (Denoiser, error)

// Open is the opener of a family whose own one takes its config as C.
func Open[C any, M Denoiser](own func(C, checkpoint.Source, tensor.Backend, tensor.DType) (M, error)) Opener {
	return func(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (Denoiser, error) {
		var c C
		if err := json.Unmarshal(config, &c); err != nil {
			return nil, err
		}
		return own(c, source, b, d)
	}
}

// Denoiser is what transformers have in common.
type Denoiser interface {
	model.Denoiser
	Geometry() model.Geometry
	Layers() map[string]*nn.Linear
	Drop()
}

// tolerance is the relative error allowed at every name; rounding alone gives
// about a tenth of it.
const tolerance = 1e-4

// Walk compares every module's output with the reference's, in F32, in
// forward order: the first that differs is the failure.
func Walk(t *testing.T, pattern string, open Opener) {
	each(t, pattern, Backends(), walk(open))
}

// WalkWide is Walk for models of true width, on Fast backends.
func WalkWide(t *testing.T, pattern string, open Opener) {
	each(t, pattern, Fast(), walk(open))
}

func walk(open Opener) func(*testing.T, tensor.Backend, Golden) {
	return func(t *testing.T, b tensor.Backend, golden Golden) {
		recorder := trace.Record(b)
		m := golden.Open(t, open, recorder, tensor.F32)
		for _, run := range golden.Runs {
			t.Run(run.Name, func(t *testing.T) {
				run.Evaluate(t, recorder, m)
				report := trace.Compare(recorder.Take(), run.Seen, tolerance)
				if first, bad := report.First(); bad {
					t.Fatalf("%s is the first to differ\n%v", first.Name, report)
				}
				worst := report.Worst()
				t.Logf("%d names, worst is %s with %.1e", len(report.Differences), worst.Name, worst.Error)
			})
		}
	}
}

// LowPrecision compares the velocity computed in BF16 with the reference's in
// F32. The error may be twice that of the reference in bf16.
func LowPrecision(t *testing.T, pattern string, open Opener) {
	each(t, pattern, Backends(), func(t *testing.T, b tensor.Backend, golden Golden) {
		m := golden.Open(t, open, b, tensor.BF16)
		for _, run := range golden.Runs {
			if run.BF16 == nil {
				continue
			}
			t.Run(run.Name, func(t *testing.T) {
				want := []trace.Named{run.Want()}
				budget := 2 * trace.Compare([]trace.Named{rename(*run.BF16)}, want, 0).Worst().Error
				report := trace.Compare([]trace.Named{run.Evaluate(t, b, m)}, want, budget)
				if _, bad := report.First(); bad {
					t.Fatalf("more than twice the error of naive bf16\n%v", report)
				}
				t.Logf("error %.2e, budget %.2e", report.Worst().Error, budget)
			})
		}
	})
}

func rename(velocity trace.Named) trace.Named {
	velocity.Name = "proj_out"
	return velocity
}

// each runs check for all goldens on the given backends.
func each(t *testing.T, pattern string, on []Backend, check func(*testing.T, tensor.Backend, Golden)) {
	for _, golden := range Goldens(t, pattern) {
		for _, backend := range on {
			t.Run(golden.Name+"/"+backend.Name, func(t *testing.T) {
				b, err := backend.Open()
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := b.Close(); err != nil {
						t.Error(err)
					}
				})
				check(t, b, golden)
			})
		}
	}
}

// Open opens the golden's model on b until the test ends.
func (g Golden) Open(t *testing.T, open Opener, b tensor.Backend, d tensor.DType) Denoiser {
	t.Helper()
	m, err := open(g.Config, g.Weights, b, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Drop)
	return m
}
