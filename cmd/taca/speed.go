package main

import (
	"time"

	"taca/internal/tensor"
)

// speed measures how many operations a second b does in a layer of a
// transformer's size, in about a tenth of a second.
func speed(b tensor.Backend, d tensor.DType) float64 {
	const rows, width = 512, 1536
	x, errX := b.New(rows, width, d)
	y, errY := b.New(rows, width, d)
	w, errW := b.New(width, width, tensor.BF16)
	if errX != nil || errY != nil || errW != nil {
		return 1e9 // nothing will fit anyway
	}
	defer func() { b.Free(x); b.Free(y); b.Free(w) }()
	b.Linear(y, x, w, tensor.Tensor{}, tensor.Identity) // touch the memory once
	runs, start := 0, time.Now()
	for time.Since(start) < 80*time.Millisecond {
		b.Linear(y, x, w, tensor.Tensor{}, tensor.Identity)
		_ = b.Sync()
		runs++
	}
	return float64(runs) * 2 * rows * width * width / time.Since(start).Seconds()
}
