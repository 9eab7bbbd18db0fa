package sampler

import "taca/internal/tensor"

// Skipped is how many of a schedule's steps a run leaves out that starts from a
// picture, with so much strength, 0..1: get_timesteps of diffusers' img2img and
// inpaint pipelines, rounding included.
func Skipped(steps int, strength float64) int {
	n := float64(steps)
	return int(max(n-min(n*strength, n), 0))
}

// Noised is latents of a picture under noise of level sigma: the scheduler's
// scale_noise, with its 32-bit roundings.
func Noised(latents, noise []float32, sigma float32) []float32 {
	out := make([]float32, len(latents))
	for i, v := range latents {
		out[i] = float32(sigma*noise[i]) + float32((1-sigma)*v)
	}
	return out
}

// Keep is what of a picture a run does not repaint. All are matrices of the
// latents' shape in F32.
type Keep struct {
	Original tensor.Tensor // the picture's latents
	Noise    tensor.Tensor // that the run began with
	Paint    tensor.Tensor // 1 where it repaints, 0 where the picture stays
	Stay     tensor.Tensor // the opposite
}

// restore puts the picture, under noise of level sigma, back into x where it
// stays, as diffusers' inpaint pipelines do after every step. work is free.
func (k *Keep) restore(o tensor.Ops, x tensor.Tensor, sigma float32, work tensor.Tensor) {
	o.Mix(work, sigma, k.Noise, 1-sigma, k.Original)
	o.Mul(work, work, k.Stay)
	o.Mul(x, x, k.Paint)
	o.Mix(x, 1, x, 1, work)
}
