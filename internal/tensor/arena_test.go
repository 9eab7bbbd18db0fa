package tensor

import "testing"

func TestArena(t *testing.T) {
	var a Arena
	if at := a.Take(1); at != 0 || a.Height() != 64 {
		t.Errorf("first byte at %d, height %d", at, a.Height())
	}
	m := a.Mark()
	if at := a.Take(65); at != 64 || a.Height() != 192 {
		t.Errorf("65 bytes at %d, height %d", at, a.Height())
	}
	if at := a.Take(0); at != 192 || a.Height() != 192 {
		t.Errorf("no bytes at %d, height %d", at, a.Height())
	}
	a.Release(m)
	if at := a.Take(64); at != 64 || a.Height() != 128 || a.Peak() != 192 {
		t.Errorf("64 bytes at %d, height %d, peak %d", at, a.Height(), a.Peak())
	}
	defer func() {
		if recover() == nil {
			t.Error("a mark above the height was released")
		}
	}()
	a.Release(129)
}
