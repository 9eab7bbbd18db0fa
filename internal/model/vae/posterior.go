package vae

import "math"

// Latents draws the denoiser's latents of a picture, in the order (channel, y,
// x): moments is what an encoder said of it, row by row, and noise standard
// normal values in the order of the latents. It is the reference's
// DiagonalGaussianDistribution.sample, with its 32-bit roundings, and what the
// pipelines do with it.
func (c Config) Latents(moments, noise []float32) []float32 {
	n := c.LatentChannels
	size := len(moments) / (2 * n)
	out := make([]float32, n*size)
	for i := range size {
		row := moments[2*n*i:]
		for channel := range n {
			at := channel*size + i
			drawn := row[channel] + float32(deviation(row[n+channel])*noise[at])
			out[at] = (drawn - c.Shift) * c.Scaling
		}
	}
	return out
}

// deviation is the standard deviation to the logarithm of a variance, which the
// reference keeps from -30 to 20.
func deviation(logarithm float32) float32 {
	return float32(math.Exp(float64(min(max(logarithm, -30), 20) / 2)))
}
