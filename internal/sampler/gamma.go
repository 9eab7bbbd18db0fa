package sampler

import "math"

// GammaSchedule says how strongly visual queries look at text in a step at
// noise level sigma; 1 is plain attention.
type GammaSchedule func(step int, sigma float32) float32

// Off is plain attention throughout.
func Off() GammaSchedule { return func(int, float32) float32 { return 1 } }

// Decay is how much of gamma − 1 is left where a share of the way, from 0 up to
// 1, is gone.
type Decay func(gone float64) float64

// Constant is no decay: gamma acts in full, then not at all.
func Constant(float64) float64 { return 1 }

// Linear falls evenly.
func Linear(gone float64) float64 { return 1 - gone }

// Cosine falls slowly at both ends.
func Cosine(gone float64) float64 { return (1 + math.Cos(math.Pi*gone)) / 2 }

// FirstSteps begins with gamma and decays over the first n steps; after them it
// is 1. Without decay it is TACA's official code, with 3 steps of 30.
func FirstSteps(n int, gamma float32, decay Decay) GammaSchedule {
	return func(step int, _ float32) float32 {
		if step >= n {
			return 1
		}
		return part(gamma, decay(float64(step)/float64(n)))
	}
}

// AboveTimestep is gamma at the timestep, which is 1000·sigma, of 1000, and
// decays to the timestep t; below t it is 1. Without decay it is TACA's paper,
// equation 6, with 970.
func AboveTimestep(t, gamma float32, decay Decay) GammaSchedule {
	return func(_ int, sigma float32) float32 {
		timestep := sigma * 1000
		if timestep < t {
			return 1
		}
		way := math.Max(1000-float64(t), math.SmallestNonzeroFloat32) // at t = 1000 there is none
		return part(gamma, decay(math.Max(1000-float64(timestep), 0)/way))
	}
}

// part is gamma of which a share is left.
func part(gamma float32, share float64) float32 {
	return float32(1 + float64((float64(gamma)-1)*share))
}
