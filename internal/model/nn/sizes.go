package nn

import (
	"cmp"
	"fmt"
)

// Size is one number of a config.json.
type Size struct {
	Key   string
	Value int
	Most  int // 0 stands for what any size may be
}

// mostSize is more than any model has, and small enough that products of
// sizes fit an int.
const mostSize = 1 << 15

// MostLayers is more than any model has. A checkpoint that lacks them all is
// told by their names, so it must not be able to ask for many.
const MostLayers = 256

// CheckSizes refuses sizes that cannot be meant.
func CheckSizes(sizes ...Size) error {
	for _, s := range sizes {
		if most := cmp.Or(s.Most, mostSize); s.Value < 1 || s.Value > most {
			return fmt.Errorf("%s is %d, want 1 to %d", s.Key, s.Value, most)
		}
	}
	return nil
}
