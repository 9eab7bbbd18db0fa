// Package checker judges pictures of the embedded model's world: a small network
// finds the solids in a picture, their shapes, colours and materials, and what
// it finds is compared with a prompt. Of other pictures it knows nothing.
package checker
