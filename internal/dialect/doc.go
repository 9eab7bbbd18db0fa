// Package dialect reads what other programs call a model's tensors: tables of
// their names over the canonical (diffusers) ones, with the matrices that one
// side holds as one and the halves that it holds the other way round.
package dialect
