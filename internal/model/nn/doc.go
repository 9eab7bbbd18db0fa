// Package nn is what all model families are built from: linear layers that
// accept low-rank adapters, the binder that fills them from a checkpoint, the
// timestep embedding, and the parts of a transformer's joint block.
package nn
