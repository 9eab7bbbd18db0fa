// Package flux is the transformer of FLUX.1: double blocks, in which text and
// visual tokens have weights of their own, then single blocks, in which they
// share them. It follows FluxTransformer2DModel of diffusers 0.42.1.
//
// Text and visual tokens are row ranges of one matrix, text first, from the
// embedders to the last single block.
package flux
