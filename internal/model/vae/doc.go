// Package vae turns pictures into latents and latents into pictures: the two
// halves of AutoencoderKL of diffusers 0.42.1, as FLUX.1 and Stable Diffusion 3
// use it.
package vae
