// Package cuda is the backend on NVIDIA cards: the CUDA driver reached through
// github.com/mumax/3/cuda/cu, the kernels of package kernels, and cuBLASLt for
// matrix products.
//
// It is compiled with the tag cuda, which scripts/build sets, since the driver's
// header is not part of a Go and C toolchain.
package cuda
