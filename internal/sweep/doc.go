// Package sweep lays out a grid of pictures, keeps what is painted of it in a
// folder that can be gone on with, and reports on it: cells, shards, results,
// contact sheets and a page.
package sweep
