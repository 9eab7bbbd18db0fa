// Package clip is the text encoder of CLIP, as FLUX.1 and Stable Diffusion 3
// use it: CLIP-L and CLIP-G. It follows CLIPTextModel and
// CLIPTextModelWithProjection of transformers 5.23.0.
//
// The sum that runs through the layers is F32 whatever the format of
// activations; what is multiplied with weights has that format.
package clip
