// Package convert writes checkpoints anew: as folders and as single files, in
// other number formats or exactly as they are. However large a model is, no more
// than a few MiB of it are in memory at once, and what is written appears whole
// or not at all.
package convert
