package minibench

import "math"

// z leaves 2.5 % of a normal distribution on either side.
const z = 1.959963984540054

// Interval is an estimate, and where the truth is in 95 of 100 measurements.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Without reports whether the interval leaves out a number.
func (i Interval) Without(v float64) bool { return v < i.Low || v > i.High }

// Wilson is the mean of values between 0 and 1, with Wilson's score interval.
// Where values lie between 0 and 1 it is too wide rather than too narrow: no
// such values vary more than zeros and ones of the same mean.
func Wilson(values []float64) Interval {
	n, p := float64(len(values)), mean(values)
	if n == 0 {
		return Interval{0, 0, 1}
	}
	middle := (p + z*z/(2*n)) / (1 + z*z/n)
	half := z / (1 + z*z/n) * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return Interval{p, math.Max(0, middle-half), math.Min(1, middle+half)}
}

// Paired is how much larger the mean of values is than that of others, pair by
// pair of the same prompt and noise. Its interval is made of both Wilson
// intervals and the correlation within pairs, by squaring and adding (Newcombe,
// Statistics in Medicine 17, 1998; for other values than zeros and ones, Zou and
// Donner, Statistics in Medicine 27, 2008).
func Paired(values, others []float64) Interval {
	a, b, r := Wilson(values), Wilson(others), correlation(values, others)
	reach := func(up, down float64) float64 {
		return math.Sqrt(math.Max(0, up*up-2*r*up*down+down*down))
	}
	d := a.Value - b.Value
	return Interval{d, d - reach(a.Value-a.Low, b.High-b.Value), d + reach(a.High-a.Value, b.Value-b.Low)}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / math.Max(1, float64(len(values)))
}

// correlation is Pearson's; 0 where one of them does not vary.
func correlation(a, b []float64) float64 {
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - ma) * (b[i] - mb)
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
