package tensor

// arenaAlign is a cache line, and the widest vector a kernel loads.
const arenaAlign = 64

// Arena is the bookkeeping of scratch memory: a height that Take raises and
// Release lowers. Every backend lays its scratch out by this one rule, so that
// the peak of a dry run is what a real run needs, and so that the same verbs
// always meet the same addresses. The zero Arena is empty.
type Arena struct{ height, peak int }

// Take reserves bytes, rounded up to whole cache lines, and returns where they
// begin.
func (a *Arena) Take(bytes int) (offset int) {
	offset = a.height
	a.height += (bytes + arenaAlign - 1) / arenaAlign * arenaAlign
	a.peak = max(a.peak, a.height)
	return offset
}

// ScratchStride is the elements from one row of scratch to the next: its columns,
// and a cache line more where rows would all lie in the same few sets of a
// first-level cache, where a strip of them has no room (FLUX.1's widths, all of
// them). Backends without such a cache may leave the line out.
func ScratchStride(rows, cols int, d DType) int {
	const period = 2048 // bytes: half the distance of a set's lines
	if rows > 1 && cols*d.Size()%period == 0 {
		cols += arenaAlign / d.Size()
	}
	return cols
}

// Height is the number of bytes in use.
func (a *Arena) Height() int { return a.height }

// Peak is the greatest height there ever was.
func (a *Arena) Peak() int { return a.peak }

// Mark is the present height, to be given to Release.
func (a *Arena) Mark() Mark { return Mark(a.height) }

// Release frees all that was taken since m. A mark above the present height
// is one that an earlier Release made void, and panics.
func (a *Arena) Release(m Mark) {
	if m < 0 || int(m) > a.height {
		panic("tensor: release of a mark that is gone")
	}
	a.height = int(m)
}
