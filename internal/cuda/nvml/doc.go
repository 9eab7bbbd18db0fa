// Package nvml asks NVIDIA's management library about cards: what there is,
// what it holds and what it draws. It computes nothing and needs no CUDA
// context.
//
// The library is found at run time by github.com/NVIDIA/go-nvml; only calls
// that drivers from R470 on have may be made, since a call that the library
// lacks ends the process.
package nvml
