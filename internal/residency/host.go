package residency

// HostReserve is memory of the processor that is left to what is neither
// weights nor scratch: the program, prompts and pictures, the state of a run,
// operands packed for products.
const HostReserve = 192 << 20

// OnHost places groups of mapped weights in the processor's memory, beside
// scratch and what else is taken. There it is no error that a group does not
// fit: the kernel reads again what it has no room for. Memory of 0 has no
// bounds.
func OnHost(groups []Group, memory, taken int) Placement {
	if memory == 0 {
		p, _ := Decide(groups, 0, None)
		return p
	}
	p, err := Decide(groups, memory-HostReserve-taken, Auto)
	if err != nil {
		p, _ = Decide(groups, Slots*p.Slot, Stream)
	}
	return p
}
