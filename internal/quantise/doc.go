// Package quantise makes narrower weights of those in a checkpoint: bfloat16,
// 8-bit floats, or the rotated integers that tensor.Q8 and tensor.Q4 describe.
//
// Only the large matrices of a transformer's blocks are converted. What is
// small or sensitive stays as it is: embedders, the layers that make modulation
// vectors (their errors would scale whole rows), norms, biases, and the final
// layer.
package quantise
