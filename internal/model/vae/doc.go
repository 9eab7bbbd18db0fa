// Package vae turns latents into pictures: the decoder half of AutoencoderKL
// of diffusers 0.42.1, as FLUX.1 and Stable Diffusion 3 use it.
package vae
