package sampler

import (
	"fmt"
	"math"
)

// Each product below is converted to its own type before it is added to: Go
// may otherwise fuse the two on some machines, and numpy does not.

// Schedule is the noise levels of a run: Steps()+1 sigmas, falling to 0.
type Schedule []float32

// Steps is the number of Euler steps.
func (s Schedule) Steps() int { return len(s) - 1 }

// FLUX is the schedule of diffusers' FluxPipeline for so many visual tokens:
// sigmas from 1 to 1/steps, shifted. The reference computes in f32, and so
// does this.
func FLUX(c Config, steps, tokens int) (Schedule, error) {
	sigmas := make([]float32, steps)
	for i, s := range linspace(1, 1/float64(steps), steps) {
		sigmas[i] = float32(s)
	}
	return finish(shift(c, sigmas, tokens), c)
}

// SD3 is the schedule of StableDiffusion3Pipeline for so many visual tokens:
// timesteps spread evenly between the scheduler's first and last, which are
// shifted already, then shifted (again). The reference computes in f64.
func SD3(c Config, steps, tokens int) (Schedule, error) {
	first, last := shifted(c, 1), shifted(c, 1/float32(c.TrainSteps))
	if c.Dynamic {
		first, last = 1, 1/float32(c.TrainSteps)
	}
	n := float64(c.TrainSteps)
	sigmas := linspace(float64(first)*n, float64(last)*n, steps)
	for i := range sigmas {
		sigmas[i] /= n
	}
	return finish(shift(c, sigmas, tokens), c)
}

// linspace is numpy's: n values from first to last.
func linspace(first, last float64, n int) []float64 {
	out := make([]float64, n)
	step := (last - first) / float64(max(n-1, 1))
	for i := range out {
		out[i] = float64(float64(i)*step) + first
	}
	if n > 1 {
		out[n-1] = last
	}
	return out
}

// shifted is the static shift of one training sigma, as the scheduler's
// constructor computes it.
func shifted(c Config, sigma float32) float32 {
	s := float32(c.Shift)
	return s * sigma / (1 + float32(float32(c.Shift-1)*sigma))
}

// shift moves sigmas towards noise: by the number of tokens where c is
// dynamic (set_timesteps with mu), by a constant otherwise.
func shift[F float32 | float64](c Config, sigmas []F, tokens int) []F {
	slope := (c.MaxShift - c.BaseShift) / float64(c.MaxTokens-c.BaseTokens)
	mu := float64(float64(tokens)*slope) + (c.BaseShift - float64(slope*float64(c.BaseTokens)))
	if c.DynamicType == "exponential" {
		mu = math.Exp(mu)
	}
	for i, s := range sigmas {
		if c.Dynamic {
			sigmas[i] = F(mu) / (F(mu) + (1/s - 1))
		} else {
			sigmas[i] = F(c.Shift) * s / (1 + F(F(c.Shift-1)*s))
		}
	}
	if c.Terminal > 0 {
		scale := (1 - sigmas[len(sigmas)-1]) / F(1-c.Terminal)
		for i, s := range sigmas {
			sigmas[i] = 1 - (1-s)/scale
		}
	}
	return sigmas
}

// finish rounds to f32 and appends the image's own sigma, 0.
func finish[F float32 | float64](sigmas []F, c Config) (Schedule, error) {
	s := make(Schedule, 0, len(sigmas)+1)
	for _, v := range sigmas {
		if !(v > 0 && v <= 1.0001) {
			return nil, fmt.Errorf("scheduler config: shift %g and shift_terminal %g give the noise level %g in %d steps, want 0..1: try more steps", c.Shift, c.Terminal, v, len(sigmas))
		}
		s = append(s, float32(v))
	}
	return append(s, 0), nil
}
