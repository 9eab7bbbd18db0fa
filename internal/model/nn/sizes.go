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

// CheckSizes refuses sizes that cannot be meant.
func CheckSizes(sizes ...Size) error {
	for _, s := range sizes {
		if s.Value < 1 || s.Value > mostSize {
			return fmt.Errorf("%s is %d, want 1 to %d", s.Key, s.Value, mostSize)
		}
	}
	return nil
}
