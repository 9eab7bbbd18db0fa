// Package gguftest writes GGUF files for tests, and makes quantised weights of
// numbers.
package gguftest
