package cpu

// #include "kernels.h"
import "C"

import (
	"fmt"
	"slices"
	"strings"
)

// Available lists the instruction sets this machine has kernels for, best
// first: of "amx", "avx512bf16", "avx512vnni", "avx512", "avxvnni", "avx2",
// "neondot", "neon", "portable". The last is always there.
func Available() []string {
	var names []string
	for _, k := range machine() {
		names = append(names, k.name)
	}
	return names
}

// OpenISA is Open with the instruction set of that name.
func OpenISA(name string, threads int) (*Backend, error) {
	k, err := choose(name)
	if err != nil {
		return nil, err
	}
	return open(threads, k)
}

// machine is the tables this machine can run, best first.
func machine() []*kernels {
	var tables [C.TACA_TABLES]*C.taca_kernels
	var all []*kernels
	for _, t := range tables[:C.taca_machine(&tables[0])] {
		all = append(all, &kernels{name: C.GoString(t.name), table: t})
	}
	return all
}

// choose finds a table by name; the best where name is empty.
func choose(name string) (*kernels, error) {
	all := machine()
	if name == "" {
		return all[0], nil
	}
	i := slices.IndexFunc(all, func(k *kernels) bool { return k.name == name })
	if i < 0 {
		return nil, fmt.Errorf("cpu: no instruction set %q here; this machine has %s; set TACA_ISA to one of them, or to nothing for the best", name, strings.Join(Available(), ", "))
	}
	return all[i], nil
}

// FastBF16 reports whether the instruction set multiplies bf16 numbers as they
// are, without widening each.
func (b *Backend) FastBF16() bool { return b.kernels.name == "amx" || b.kernels.name == "avx512bf16" }
