// Package kernels holds the CUDA kernels: their sources, and the images that
// scripts/build-kernels makes of them.
package kernels
