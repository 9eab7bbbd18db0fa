package sampler

import (
	"context"
	"fmt"

	"taca/internal/model"
	"taca/internal/tensor"
)

// Gate is an adapter as the sampler sees it.
type Gate interface {
	// Set switches the adapter on or off.
	Set(on bool)
}

// Run is one denoising run.
type Run struct {
	Schedule Schedule
	Skip     int           // its steps that are left out, since the run starts from a picture; see Skipped
	Keep     *Keep         // what of the picture stays, or nil
	Gamma    GammaSchedule // counts the steps that are left out
	Blocks   model.Blocks  // where gamma acts
	Gates    []Gate        // adapters active exactly in the steps where gamma is not 1
	Embedded float32       // guidance the model embeds (FLUX dev)
	CFG      float32       // classifier-free guidance, where there is a Negative
	Grid     tensor.Grid
	Positive model.Conditioning
	Negative model.Conditioning // or none
	Cache    float32            // see model.Trajectory
	Watcher  model.AttentionWatcher
}

// Progress is a step that is done.
type Progress struct {
	Step, Steps  int // Step counts from 0
	Sigma, Gamma float32
	Cached       model.Cached
}

// NotFinite is a result that holds NaN or Inf.
type NotFinite struct{ What string }

// Error names the result.
func (e *NotFinite) Error() string { return "NaN or Inf in " + e.What }

// Denoise integrates x, latents of Grid's patches in F32 with the noise of the
// first step that is not left out, to image latents in place, calls done after each step, and returns what it took from the cache.
// Both halves of classifier-free guidance have the same gamma and gates, as in
// TACA's official code.
func Denoise(ctx context.Context, b tensor.Backend, m model.Denoiser, x tensor.Tensor, r Run, done func(Progress)) (Reuse, error) {
	var reuse Reuse
	defer b.Release(b.Mark())
	defer set(r.Gates, false)
	t := r.trajectory()
	velocities := make([]tensor.Tensor, len(t.Texts))
	for i := range velocities {
		velocities[i] = b.Scratch(x.Rows, x.Cols, tensor.F32)
	}
	evaluator, err := m.Start(t)
	if err != nil {
		return reuse, err
	}
	defer evaluator.End()
	var latents []float32
	for i, step := range t.Steps {
		set(r.Gates, step.Gamma != 1)
		cached, err := evaluator.Velocity(ctx, velocities, x, i)
		if err != nil {
			return reuse, err
		}
		v := velocities[0]
		if len(velocities) > 1 {
			b.Mix(v, r.CFG, v, 1-r.CFG, velocities[1]) // negative + CFG·(v − negative)
		}
		b.Observe("velocity", v)
		next := r.Schedule[r.Skip+i+1]
		b.Mix(x, 1, x, next-step.Sigma, v) // Euler
		if r.Keep != nil {
			r.Keep.restore(b, x, next, v)
		}
		after, err := fetch(b, x, i)
		if err != nil {
			return reuse, err
		}
		if cached.Hit {
			reuse.add(cached.Change, latents, after)
		}
		latents = after
		done(Progress{Step: i, Steps: len(t.Steps), Sigma: step.Sigma, Gamma: step.Gamma, Cached: cached})
	}
	reuse.relativeTo(latents)
	return reuse, b.Err()
}

// trajectory is the run as the denoiser sees it.
func (r Run) trajectory() model.Trajectory {
	t := model.Trajectory{Steps: r.Steps(), Blocks: r.Blocks, Grid: r.Grid, Guidance: r.Embedded, Texts: []model.Conditioning{r.Positive}, Cache: r.Cache, Watcher: r.Watcher}
	if !r.Negative.None() {
		t.Texts = append(t.Texts, r.Negative)
	}
	return t
}

// Steps is the noise level and the gamma of each step that is not left out.
func (r Run) Steps() []model.Step {
	steps := make([]model.Step, r.Schedule.Steps()-r.Skip)
	for i := range steps {
		at := r.Skip + i
		steps[i] = model.Step{Sigma: r.Schedule[at], Gamma: r.Gamma(at, r.Schedule[at])}
	}
	return steps
}

func set(gates []Gate, on bool) {
	for _, g := range gates {
		g.Set(on)
	}
}

// fetch looks at the latents after every step, so that a broken night ends at
// once.
func fetch(b tensor.Backend, x tensor.Tensor, step int) ([]float32, error) {
	host := make([]float32, x.Rows*x.Cols)
	b.Download(host, x)
	if err := b.Err(); err != nil {
		return nil, err
	}
	if !Finite(host) {
		return nil, &NotFinite{fmt.Sprintf("the latents after step %d", step+1)}
	}
	return host, nil
}

// Finite reports whether no value is NaN or Inf.
func Finite(values []float32) bool {
	for _, v := range values {
		if v-v != 0 { // both give NaN
			return false
		}
	}
	return true
}
