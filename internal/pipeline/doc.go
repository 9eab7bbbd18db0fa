// Package pipeline wires a prompt to a picture: it reads a model folder, knows
// what differs between FLUX and SD3.5, and runs encoders, denoiser and decoder
// in turn on any backend.
package pipeline
