package opstest

import (
	"fmt"
	"math"

	"taca/internal/tensor"
)

// expectation is what a case must yield: the truth, to within twice the error
// of naive arithmetic; or exactly the truth where naive is nil.
type expectation struct {
	dtype        tensor.DType
	draws        int
	truth, naive []float64
}

// judge returns what is wrong with a result, or nil.
func (e *expectation) judge(got []float64) error {
	if len(got) != len(e.truth) {
		return fmt.Errorf("%d numbers, want %d", len(got), len(e.truth))
	}
	bound := e.bound()
	worst, at := 0.0, -1
	for i, v := range got {
		if err := deviation(v, e.truth[i]); err > worst {
			worst, at = err, i
		}
	}
	if worst > bound {
		return fmt.Errorf("element %d is %v, want %v: error %.3g, allowed %.3g", at, got[at], e.truth[at], worst, bound)
	}
	return nil
}

// bound is twice the greatest error of naive arithmetic, plus what storing the
// greatest result may cost.
func (e *expectation) bound() float64 {
	if e.naive == nil {
		return 0
	}
	worst, most := 0.0, 0.0
	for i, v := range e.naive {
		worst = max(worst, deviation(v, e.truth[i]))
		most = max(most, math.Abs(e.truth[i]))
	}
	if math.IsInf(worst, 0) || math.IsNaN(most) {
		panic("opstest: the yardstick of a case is not finite")
	}
	return 2*worst + unit(e.dtype)*most
}

// deviation is |got - want|: 0 between equal infinities and between NaNs,
// infinite where only one of the two is finite.
func deviation(got, want float64) float64 {
	if math.IsNaN(got) && math.IsNaN(want) || got == want {
		return 0
	}
	if d := math.Abs(got - want); !math.IsNaN(d) {
		return d
	}
	return math.Inf(1)
}
