//go:build cuda

package driver

// #include <cuda.h>
import "C"

import "github.com/mumax/3/cuda/cu"

// Graph is work captured from a stream.
type Graph struct{ graph C.CUgraph }

// GraphExec is a graph ready to be launched any number of times.
type GraphExec struct{ exec C.CUgraphExec }

// BeginCapture makes s note what is put on it instead of running it. Other
// threads are not concerned.
func BeginCapture(s cu.Stream) {
	check(C.cuStreamBeginCapture_v2(stream(s), C.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))
}

// EndCapture is what s has noted.
func EndCapture(s cu.Stream) Graph {
	var g Graph
	check(C.cuStreamEndCapture(stream(s), &g.graph))
	return g
}

// Instantiate readies the graph.
func (g Graph) Instantiate() GraphExec {
	var e GraphExec
	check(C.cuGraphInstantiateWithFlags(&e.exec, g.graph, 0))
	return e
}

// Destroy gives the graph back; what was instantiated from it lives on.
func (g Graph) Destroy() {
	if g.graph != nil {
		check(C.cuGraphDestroy(g.graph))
	}
}

// Launch puts the work on s.
func (e GraphExec) Launch(s cu.Stream) { check(C.cuGraphLaunch(e.exec, stream(s))) }

// Destroy gives it back.
func (e GraphExec) Destroy() { check(C.cuGraphExecDestroy(e.exec)) }
