// Package dry is a backend that only checks shapes and counts bytes and FLOPs:
// it runs a model of any size in milliseconds, without weights.
//
// It is stricter than devices can afford to be: it also refuses operands that
// lie in released scratch, or that a destination overlaps.
package dry
