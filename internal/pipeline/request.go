package pipeline

import (
	"fmt"
	"unicode/utf8"
)

// Request is a picture to be made. With the model and the adapters it fixes
// every pixel; it is what a PNG's metadata stores.
type Request struct {
	Prompt    string  `json:"prompt"`
	Negative  string  `json:"negative_prompt,omitempty"`
	Width     int     `json:"width"`
	Height    int     `json:"height"`
	Steps     int     `json:"steps"`
	Guidance  float32 `json:"guidance"`           // embedded (FLUX dev) or classifier-free (SD3.5)
	TrueCFG   float32 `json:"true_cfg,omitempty"` // classifier-free guidance on FLUX, above 1
	Seed      int64   `json:"seed"`
	MaxLength int     `json:"max_sequence_length"` // T5 tokens
	TACA      TACA    `json:"taca"`
	Cache     float32 `json:"cache,omitempty"` // change of the first block up to which a step leaves out the others; 0: never

	Strength float64 `json:"strength,omitempty"` // of the noise over Original, above 0 up to 1: the share of the steps that run

	Latents  []float32 `json:"-"` // replaces the noise: (channel, y, x) order, or nil
	Original *Original `json:"-"` // the picture it starts from, or nil: from noise alone
}

// UsageError is a request that cannot be met whatever the model's weights.
type UsageError struct{ Problem string }

// Error is what is wrong and what would be right.
func (e *UsageError) Error() string { return e.Problem }

func usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// The limits of a request; all are far beyond what the models were trained
// for but the number of T5 tokens, which diffusers' pipelines hold to.
const (
	largestSide     = 8192
	mostSteps       = 1000
	longestPrompt   = 512
	largestGamma    = 1e4
	largestGuidance = 1e3
	largestCache    = 1e3
)

// Check refuses sizes and settings no model of this kind can take, as a
// *UsageError. unit is the number of pixels along each side of a visual token.
func (r Request) Check(unit int) error {
	switch {
	case r.Width < unit || r.Height < unit || r.Width%unit != 0 || r.Height%unit != 0:
		return usage("size %d×%d: width and height must be multiples of %d; try %d×%d",
			r.Width, r.Height, unit, nearest(r.Width, unit), nearest(r.Height, unit))
	case r.Width > largestSide || r.Height > largestSide:
		return usage("size %d×%d: at most %d pixels along a side", r.Width, r.Height, largestSide)
	case r.Steps < 1 || r.Steps > mostSteps:
		return usage("steps %d: must be between 1 and %d", r.Steps, mostSteps)
	case !(r.TACA.Gamma > 0 && r.TACA.Gamma <= largestGamma):
		return usage("gamma %g: must be above 0 and at most %g; 1 turns TACA off, the paper uses 1.2", r.TACA.Gamma, largestGamma)
	case r.TACA.Steps < 0 || !(r.TACA.Threshold >= 0 && r.TACA.Threshold <= 1000):
		return usage("gamma steps %d, threshold %g: steps count from 0, thresholds are timesteps in 0..1000", r.TACA.Steps, r.TACA.Threshold)
	case !(r.Guidance >= 0 && r.Guidance <= largestGuidance):
		return usage("guidance %g: must be between 0 and %g", r.Guidance, largestGuidance)
	case !(r.TrueCFG >= 0 && r.TrueCFG <= largestGuidance):
		return usage("true cfg %g: must be between 0 and %g", r.TrueCFG, largestGuidance)
	case !(r.Cache >= 0 && r.Cache <= largestCache):
		return usage("cache %g: must be between 0, which turns it off, and %g; 0.05 to 0.1 is usual", r.Cache, largestCache)
	case !utf8.ValidString(r.Prompt) || !utf8.ValidString(r.Negative):
		return usage("the prompt is no UTF-8 text")
	}
	if _, err := r.TACA.Schedule(); err != nil {
		return err
	}
	if err := r.checkOriginal(); err != nil {
		return err
	}
	return checkLength(r.MaxLength)
}

func checkLength(maxLength int) error {
	if maxLength < 1 || maxLength > longestPrompt {
		return usage("max sequence length %d: must be between 1 and %d", maxLength, longestPrompt)
	}
	return nil
}

func nearest(n, unit int) int { return max(unit, (n+unit/2)/unit*unit) }
