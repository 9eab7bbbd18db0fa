package fuzztest

import (
	"runtime"
	"testing"
)

// Bounded runs do and fails unless all that it allocated, also what it gave back,
// is at most a constant and a number of bytes for each of an input of size bytes:
// no size that the input merely claims was taken at its word.
func Bounded(t testing.TB, constant, perByte, size int, do func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > uint64(constant+perByte*size) {
		t.Errorf("%d bytes allocated for an input of %d", taken, size)
	}
}
