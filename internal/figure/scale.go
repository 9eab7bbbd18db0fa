package figure

import "math"

// Scale is the numbers along an axis, and the round ones among them that have
// names.
type Scale struct {
	Low, High float64
	Ticks     []float64
}

// NewScale is a scale that holds low and high, with about so many ticks, at
// multiples of 1, 2 or 5 times a power of ten. It begins and ends with a tick.
func NewScale(low, high float64, ticks int) Scale {
	if !(high > low) {
		high = low + math.Max(1e-3, math.Abs(low)*1e-3)
	}
	step := roundUp((high - low) / float64(max(1, ticks)))
	first, last := math.Floor(low/step+1e-9), math.Ceil(high/step-1e-9)
	s := Scale{Low: first * step, High: last * step}
	for i := first; i <= last; i++ {
		s.Ticks = append(s.Ticks, i*step)
	}
	return s
}

// At is where v is between the scale's ends, 0 to 1.
func (s Scale) At(v float64) float64 { return (v - s.Low) / (s.High - s.Low) }

// roundUp is the next of 1, 2, 5 times a power of ten.
func roundUp(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*power*(1+1e-9) {
			return m * power
		}
	}
	return 10 * power
}
