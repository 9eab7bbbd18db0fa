// Package sampler turns noise into latents: noise levels, gamma schedules,
// guidance, Euler steps, and noise with the numbers of torch.
package sampler
