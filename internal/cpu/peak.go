package cpu

// #include "kernels.h"
import "C"

import (
	"time"
	"unsafe"

	"taca/internal/tensor"
)

// Peak is how many operations a second all workers can do at most on operands
// of format d, F32, BF16, or Q8 for int8, measured in a tenth of a second:
// products out of registers, with sums in 32 bits. A multiplication and an addition count as two.
func (b *Backend) Peak(d tensor.DType) float64 {
	args := C.taca_peak{rounds: 1 << 14}
	round := float64(b.kernels.table.words_round)
	switch d {
	case tensor.BF16:
		args.kind, round = C.TACA_PAIRS, float64(b.kernels.table.pairs_round)
	case tensor.Q8:
		args.kind, round = C.TACA_INTEGERS, float64(b.kernels.table.quads_round)
	}
	units, best := 8*b.pool.workers, 0.0
	for begin := time.Now(); time.Since(begin) < 100*time.Millisecond; {
		start := time.Now()
		b.run(C.TACA_PEAK, unsafe.Pointer(&args), units, each(1))
		best = max(best, float64(units)*float64(args.rounds)*round/time.Since(start).Seconds())
	}
	return best
}
