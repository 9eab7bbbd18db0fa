// Package ram says how much memory the operating system would give to this
// program: what is free, and what control groups and ulimit leave of it.
package ram
