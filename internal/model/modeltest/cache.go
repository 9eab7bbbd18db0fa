package modeltest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"taca/internal/model"
	"taca/internal/tensor"
	"taca/internal/trace"
)

// Cache holds the cache of steps against what a watcher sees of the first block:
// embedded and first name its input and its output. Steps that run all blocks
// give the bits they give without a cache.
func Cache(t *testing.T, pattern string, open Opener, embedded, first string) {
	each(t, pattern, Backends(), func(t *testing.T, b tensor.Backend, golden Golden) {
		recorder := trace.Record(b)
		m := golden.Open(t, open, recorder, tensor.F32)
		for texts := 1; texts <= 2; texts++ {
			way := golden.Along(t, recorder, 11, 3, texts)
			whole := way.follow(t, m, func(int) {})
			recorder.Take()
			threshold := float32(1e-9)
			for range 3 {
				way.Cache = threshold
				got := way.follow(t, m, func(int) {})
				want := way.decide(recorder.Take(), embedded, first, threshold)
				hits := 0
				for i, w := range want {
					at := fmt.Sprintf("%d texts, threshold %g, step %d", texts, threshold, i)
					if got[i].cached.Hit != w.Hit || !(math.Abs(got[i].cached.Change-w.Change) <= 1e-4*w.Change) {
						t.Fatalf("%s: %+v, want %+v", at, got[i].cached, w)
					}
					if same := slices.EqualFunc(got[i].velocities, whole[i].velocities, slices.Equal); same == w.Hit {
						t.Errorf("%s: a hit (%v) has the velocity of all blocks: %v", at, w.Hit, same)
					}
					if w.Hit {
						hits++
					}
				}
				switch {
				case threshold < 1e-6: // next, what half of the changes are below
					if hits > 0 {
						t.Errorf("%d texts: %d hits below any change", texts, hits)
					}
					slices.SortFunc(want, func(a, b model.Cached) int { return cmp.Compare(a.Change, b.Change) })
					threshold = 1.01 * float32(want[6].Change)
				case threshold < 1e3:
					if hits == 0 || hits == 9 {
						t.Errorf("%d texts, threshold %g: %d hits of 11 steps say nothing", texts, threshold, hits)
					}
					threshold = 1e3
				case hits != 9:
					t.Errorf("%d texts: %d hits above any change, want all but the first with either gamma", texts, hits)
				}
			}
		}
	})
}

// decide is the cache in float64: a change is that of Σ|output − input| of the
// first block since the last step that was no hit, the largest of all texts.
func (w Trajectory) decide(seen []trace.Named, embedded, first string, threshold float32) []model.Cached {
	var in, out [][]float32 // of each text of each step
	for _, n := range seen {
		switch n.Name {
		case embedded:
			in = append(in, n.Values)
		case first:
			out = append(out, n.Values)
		}
	}
	last := -1
	all := make([]model.Cached, len(w.Steps))
	for i := range w.Steps {
		if last < 0 || w.Steps[last].Gamma != w.Steps[i].Gamma {
			last = i
			continue
		}
		for k := range w.Texts {
			var moved, size float64
			now, then := i*len(w.Texts)+k, last*len(w.Texts)+k
			for j := range in[now] {
				was := float64(out[then][j]) - float64(in[then][j])
				moved += math.Abs(float64(out[now][j]) - float64(in[now][j]) - was)
				size += math.Abs(was)
			}
			all[i].Change = math.Max(all[i].Change, moved/size)
		}
		if all[i].Hit = all[i].Change <= float64(threshold); !all[i].Hit {
			last = i
		}
	}
	return all
}

// CacheOfTheSame sees that a hit gives the velocity of the step it takes from,
// where the two are the same step.
func CacheOfTheSame(t *testing.T, pattern string, open Opener) {
	each(t, pattern, Backends(), func(t *testing.T, b tensor.Backend, golden Golden) {
		for d, tolerance := range map[tensor.DType]float64{tensor.F32: 1e-5, tensor.BF16: 2e-2} {
			m := golden.Open(t, open, b, d)
			way := golden.Along(t, b, 3, 0, 2)
			way.Cache = 1e-6
			for i := range way.Steps {
				way.Steps[i].Sigma = 0.5
			}
			got := way.follow(t, m, func(int) {})
			for i, hit := range []bool{false, true, true} {
				if want := (model.Cached{Hit: hit}); got[i].cached != want {
					t.Fatalf("%v, step %d: %+v, want %+v", d, i, got[i].cached, want)
				}
				for k, v := range got[i].velocities {
					then := []trace.Named{{Rows: 1, Cols: len(v), Values: got[0].velocities[k]}}
					if report := trace.Compare([]trace.Named{{Rows: 1, Cols: len(v), Values: v}}, then, tolerance); report.Worst().Error > tolerance {
						t.Errorf("%v, step %d, text %d: the velocity differs by %.1e", d, i, k, report.Worst().Error)
					}
				}
			}
		}
	})
}
