package model

import (
	"context"

	"taca/internal/tensor"
)

// Denoiser is a transformer that predicts velocity.
type Denoiser interface {
	// Velocity writes d latents / d sigma at x into dst. Both have one row per
	// patch of step.Grid and Geometry.PatchColumns columns; dst is F32. It
	// returns ctx's error when cancelled between blocks, and the device's.
	Velocity(ctx context.Context, dst, x tensor.Tensor, step Step) error
}

// Step is everything that may change from one evaluation to the next.
type Step struct {
	Sigma    float32      // noise level, 0..1
	Guidance float32      // embedded guidance; ignored where the model has none
	Gamma    float32      // TACA: visual queries × text keys; 1 is plain attention
	Grid     tensor.Grid  // patches of the latents
	Text     Conditioning // what the prompt asks for
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
