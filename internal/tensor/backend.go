package tensor

// DeviceError is a failure of the device itself, such as memory that is
// refused, as opposed to a bad file or a bug.
type DeviceError struct{ Err error }

// Error is what the device said.
func (e *DeviceError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *DeviceError) Unwrap() error { return e.Err }

// Backend is a device that speaks Ops and owns memory.
type Backend interface {
	Ops
	// Name is what people call the device: "cpu avx512-bf16, 8 threads".
	Name() string
	// Arithmetic names all that decides the bits of results: backends that give
	// the same here give the same bits for the same verbs, whatever their number
	// of threads, as long as the program has not changed.
	Arithmetic() string
	// New is zeroed memory that lives until Free or Close.
	New(rows, cols int, d DType) (Tensor, error)
	// Free gives back memory from New; it must be the whole tensor.
	Free(t Tensor)
	// NewGroup is a home for weights that arrive and leave together.
	NewGroup() Group
	// Reserve makes the scratch arena at least this large; the size is found
	// by a dry run. Nothing may be in use from it.
	Reserve(scratchBytes int) error
	// Sync waits until all verbs have finished and returns Err.
	Sync() error
	// Close frees everything.
	Close() error
}

// Dry is a backend that never looks at weights: nil stands for those that would
// have to be made first, by putting what a file holds into another order or
// format.
type Dry interface{ Dry() }

// Group is weights that arrive and leave together: one block, or one encoder.
type Group interface {
	// Bind gives the backend a row-major matrix as the checkpoint holds it.
	// raw may be a mapping of a file: it must stay mapped until Drop. A dry
	// backend takes nil.
	Bind(raw []byte, rows, cols int, d DType) (Tensor, error)
	// Need waits until the group is resident, and starts fetching next, which
	// may be nil.
	Need(next Group)
	// Keep is Need for weights that verbs use at any time from now on, such as
	// an adapter's of all blocks: they are never streamed.
	Keep()
	// Seldom says that the weights are needed before many steps, and in none of
	// them: where not all fit, they are streamed before any others are.
	Seldom()
	// Drop gives the memory back. The group's tensors are dead afterwards.
	Drop()
}
