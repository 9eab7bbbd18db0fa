package nn

import "fmt"

// Size is one number of a config.json.
type Size struct {
	Key   string
	Value int
}

// mostSize is more than any model has, and small enough that products of
// sizes fit an int.
const mostSize = 1 << 15

// mostLayers is more than any model has. A checkpoint that lacks them all is
// told by their names, so it must not be able to ask for many.
const mostLayers = 256

// CheckLayers refuses a number of layers that cannot be meant.
func CheckLayers(key string, n int) error {
	if n < 1 || n > mostLayers {
		return fmt.Errorf("%s is %d, want 1 to %d", key, n, mostLayers)
	}
	return nil
}

// CheckSizes refuses sizes that cannot be meant.
func CheckSizes(sizes ...Size) error {
	for _, s := range sizes {
		if s.Value < 1 || s.Value > mostSize {
			return fmt.Errorf("%s is %d, want 1 to %d", s.Key, s.Value, mostSize)
		}
	}
	return nil
}
