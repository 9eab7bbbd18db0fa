package model

import (
	"context"

	"taca/internal/tensor"
)

// Denoiser is a transformer that predicts velocity.
type Denoiser interface {
	// Start readies the steps of one picture. What the evaluator keeps is
	// state, given back by End.
	Start(t Trajectory) (Evaluator, error)
}

// Evaluator predicts the velocities along one trajectory.
type Evaluator interface {
	// Ready computes, for step i and those after it up to another gamma, what
	// depends on no latents. Where it is there already, nothing is done.
	Ready(ctx context.Context, i int) error
	// Velocity writes d latents / d sigma at x in step i into dst, one matrix
	// for each text; it begins with Ready. x and dst have one row per patch of
	// the grid and Geometry.PatchColumns columns; dst is F32. It says what it
	// took from the cache, and returns ctx's error when cancelled between blocks,
	// and the device's.
	Velocity(ctx context.Context, dst []tensor.Tensor, x tensor.Tensor, i int) (Cached, error)
	// End gives back the memory of the trajectory.
	End()
}

// Trajectory is a picture's way from noise, as far as it is known before the
// first step.
type Trajectory struct {
	Grid     tensor.Grid    // patches of the latents
	Guidance float32        // embedded guidance; ignored where the model has none
	Texts    []Conditioning // what the prompt asks for, and under classifier-free guidance what the negative prompt does
	Steps    []Step
	Blocks   Blocks // where a step's gamma acts; elsewhere attention is plain
	// Cache is how far the answer of the first block may have changed, relatively,
	// since the last step that ran all blocks, for a step to take what the others
	// did from that one; 0 is no cache.
	Cache float32
	// Watcher looks on at the joint attentions of the first text; or nil.
	Watcher AttentionWatcher
}

// AttentionWatcher looks on as the text and visual tokens of a denoiser attend to
// each other.
type AttentionWatcher interface {
	// Attended sees the queries and keys of a block's joint attention in step i,
	// where queries may be the last tokens' alone, all visual ones among them.
	// They are scratch memory; spec has the gamma that acted.
	Attended(o tensor.Ops, i, block int, q, k tensor.Tensor, spec tensor.AttentionSpec)
}

// Step is what changes from one step to the next. The gates of adapters may
// change between steps whose gamma is 1 and others, and nowhere else.
type Step struct {
	Sigma float32 // noise level, 0..1
	Gamma float32 // TACA: visual queries × text keys; 1 is plain attention
}

// Cached is what a step took from an earlier one.
type Cached struct {
	Hit    bool    // all blocks but the first were left out
	Change float64 // of the first block's answer since the last step that ran them; 0 where there was none
}

// Stretch is the end of the steps from i on whose gates are step i's.
func (t Trajectory) Stretch(i int) int {
	end := i + 1
	for end < len(t.Steps) && (t.Steps[end].Gamma == 1) == (t.Steps[i].Gamma == 1) {
		end++
	}
	return end
}

// Gamma is that of step i in a block.
func (t Trajectory) Gamma(i, block int) float32 {
	if t.Blocks.Has(block) {
		return t.Steps[i].Gamma
	}
	return 1
}

// Conditioning is what the text encoders tell the denoiser.
type Conditioning struct {
	Tokens tensor.Tensor // one row per text token
	Pooled tensor.Tensor // one row: the prompt as a whole
}

// None reports whether there is no conditioning.
func (c Conditioning) None() bool { return c.Tokens.None() }

// Decoder turns latents into pixels.
type Decoder interface {
	// Decode takes latents as the denoiser leaves them, unpacked: one row per
	// latent pixel of grid, Channels columns. It returns rows of 8×8 times as
	// many pixels with 3 columns, nominally -1..1, in scratch memory.
	Decode(ctx context.Context, latents tensor.Tensor, grid tensor.Grid) (tensor.Tensor, tensor.Grid, error)
}
