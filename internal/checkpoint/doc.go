// Package checkpoint reads and writes safetensors: model weights mapped into
// memory and never copied, found by their canonical (diffusers) names.
package checkpoint
