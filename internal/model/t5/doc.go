// Package t5 is the encoder of T5 v1.1, as FLUX.1 and Stable Diffusion 3 use
// it: without an attention mask, padding included. It follows T5EncoderModel
// of transformers 5.23.0.
//
// The sum that runs through the blocks is F32 whatever the format of
// activations: in T5-XXL some columns grow to 10⁵, where F16 overflows and BF16
// rounds away what later blocks add. What is multiplied with weights is normed
// first, and has the format of activations.
package t5
