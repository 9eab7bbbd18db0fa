// Package hubtest is a model hub for tests: the paths, headers and redirects of
// huggingface.co, with large files on a second host.
package hubtest
