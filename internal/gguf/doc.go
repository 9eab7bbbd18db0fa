// Package gguf reads the headers of GGUF files (ggml, docs/gguf.md, versions 2
// and 3): where each tensor lies, its shape and number format. Nothing that a
// header says of sizes is trusted.
package gguf
