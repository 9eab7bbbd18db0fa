package sampler

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Point is gamma at a timestep.
type Point struct{ Timestep, Gamma float32 }

// Piecewise is gamma at each of the points, on straight lines between them, and
// beyond them what it is at the nearest. Timesteps fall; where two points have
// the same, gamma jumps after it.
func Piecewise(points []Point) GammaSchedule {
	return func(_ int, sigma float32) float32 {
		t, from := sigma*1000, points[0]
		for _, to := range points {
			if t >= to.Timestep {
				return between(from, to, t)
			}
			from = to
		}
		return from.Gamma
	}
}

// between is gamma at t, which is not below to.
func between(from, to Point, t float32) float32 {
	if t == to.Timestep || t >= from.Timestep {
		return to.Gamma
	}
	gone := float64(from.Timestep-t) / float64(from.Timestep-to.Timestep)
	return float32(float64(from.Gamma) + float64(gone*(float64(to.Gamma)-float64(from.Gamma))))
}

// ParsePoints reads points such as "1000=1.4,900=1.2,900=1".
func ParsePoints(text string) ([]Point, error) {
	var points []Point
	for _, part := range strings.Split(text, ",") {
		timestep, gamma, found := strings.Cut(part, "=")
		if !found {
			return nil, fmt.Errorf("%q: write points as TIMESTEP=GAMMA, such as 1000=1.4,900=1", part)
		}
		t, err := parse(timestep)
		if err != nil || !(t >= 0 && t <= 1000) {
			return nil, fmt.Errorf("%q: the timestep must be a number in 0..1000", part)
		}
		g, err := parse(gamma)
		if err != nil || !(g > 0) || math.IsInf(float64(g), 0) {
			return nil, fmt.Errorf("%q: gamma must be a number above 0", part)
		}
		if n := len(points); n > 0 && points[n-1].Timestep < t {
			return nil, fmt.Errorf("%q: timesteps must fall, from 1000 (noise) to 0 (picture)", part)
		}
		points = append(points, Point{t, g})
	}
	return points, nil
}

// ReadPoints reads points as files have them: a timestep and a gamma on each
// line, # and what follows ignored.
func ReadPoints(text string) ([]Point, error) {
	var points []Point
	n := 0
	for line := range strings.Lines(text) {
		n++
		own, _, _ := strings.Cut(line, "#")
		fields := strings.FieldsFunc(own, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;=", r) })
		if len(fields) == 0 {
			continue
		}
		p, err := ParsePoints(strings.Join(fields, "="))
		if err != nil || len(fields) != 2 || len(points) > 0 && points[len(points)-1].Timestep < p[0].Timestep {
			return nil, fmt.Errorf("line %d: %q: write TIMESTEP GAMMA, timesteps falling from 1000 to 0, gammas above 0", n, strings.TrimSpace(own))
		}
		points = append(points, p[0])
	}
	if len(points) == 0 {
		return nil, errors.New("it has no points; write TIMESTEP GAMMA on each line")
	}
	return points, nil
}

func parse(number string) (float32, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 32)
	return float32(v), err
}

// FormatPoints is what ParsePoints reads.
func FormatPoints(points []Point) string {
	parts := make([]string, len(points))
	for i, p := range points {
		parts[i] = format(p.Timestep) + "=" + format(p.Gamma)
	}
	return strings.Join(parts, ",")
}

func format(v float32) string { return strconv.FormatFloat(float64(v), 'f', -1, 32) }
