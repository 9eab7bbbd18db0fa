// Package sd3 is the transformer of Stable Diffusion 3 and 3.5: joint blocks,
// some of which give the visual tokens a second attention of their own. It
// follows SD3Transformer2DModel of diffusers 0.42.1.
//
// Text and visual tokens are row ranges of one matrix, text first. The
// reference puts the visual tokens first; attention does not care.
package sd3
