// Package checkpoint reads safetensors and GGUF, and writes safetensors: model
// weights mapped into memory and never copied, found by their canonical
// (diffusers) names.
package checkpoint
