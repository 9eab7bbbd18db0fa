// Package tensor is the seam between models and backends: matrices whose rows
// are tokens or pixels, and the verbs a transformer and its VAE are made of.
//
// A model speaks Ops and never learns which device listens; a backend
// implements Ops and never learns which model speaks. The package imports
// nothing of ours.
package tensor
