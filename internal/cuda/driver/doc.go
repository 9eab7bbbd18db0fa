// Package driver is the CUDA driver as the rest of the program wants it: found
// at run time, called from threads that have the context, with errors instead
// of panics.
//
// github.com/mumax/3/cuda/cu makes the calls. It links against libcuda; so
// that the program starts without one, this package defines the symbols itself
// (trampolines.c) and fills them in when Open finds the driver. What cu lacks
// is in calls.go and graph.go, in cu's style: a call that fails panics with its
// cu.Result, which Thread.Do turns into an error.
package driver
