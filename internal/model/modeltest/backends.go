package modeltest

import (
	"taca/internal/cpu"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// Backend is something goldens are run on.
type Backend struct {
	Name string
	Open func() (tensor.Backend, error)
}

// Backends are the reference, and the processor with every instruction set
// this machine has.
func Backends() []Backend {
	all := []Backend{{"reference", func() (tensor.Backend, error) { return opstest.NewReference(), nil }}}
	for _, isa := range cpu.Available() {
		all = append(all, Backend{"cpu " + isa, func() (tensor.Backend, error) { return cpu.OpenISA(isa, 2) }})
	}
	return all
}

// Fast is the backend for models of true width: the processor at its best, or
// as TACA_ISA says.
func Fast() []Backend {
	return []Backend{{"cpu", func() (tensor.Backend, error) { return cpu.Open(0) }}}
}
