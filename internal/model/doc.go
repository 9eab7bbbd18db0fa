// Package model says what a text-to-image model is: encoders that turn a
// prompt into conditioning, a denoiser that turns noise and conditioning into
// velocity, and a decoder that turns latents into a picture.
//
// # Words
//
// The same words are used throughout the program, one meaning each:
//
//	token      one row of a sequence: a piece of the prompt, or a patch of latents
//	text       rows that come from the prompt (the references say context, encoder_hidden_states, txt)
//	visual     rows that come from the image (the references say hidden_states, img)
//	latents    the compressed image, 16 channels at an eighth of its size
//	patch      2×2 latent pixels, which make one visual token
//	sigma      noise level, from 1 (noise) to 0 (image)
//	velocity   d latents / d sigma, what the denoiser predicts
//	original   the picture that a run starts from, where it is not noise alone
//	strength   how much noise goes over the original, and the share of the steps that run
//	step       one Euler step from one sigma to the next
//	trajectory all steps of one picture
//	guidance   how far to exaggerate what the prompt changes
//	gamma      TACA's factor on the logits of visual queries and text keys
//	gate       factor on a low-rank adapter; 0 switches it off
//	block      one layer of a transformer; a double block has a text and a visual stream
//	head       a range of columns that attends on its own
//	span       a range of rows
//	grid       height and width of an image whose pixels or patches are rows
package model
