package dialect

import (
	"strconv"
	"strings"

	"taca/internal/checkpoint"
)

// view is the tensors of a file whose names have a prefix, without it. It is
// a Source.
type view struct {
	file   checkpoint.Source
	prefix string
	names  []string
}

// Tensor implements checkpoint.Source.
func (v view) Tensor(name string) (checkpoint.Raw, bool) { return v.file.Tensor(v.prefix + name) }

// Names implements checkpoint.Source.
func (v view) Names() []string { return v.names }

// String is the file.
func (v view) String() string { return v.file.String() }

// columns is the second size of a tensor; 0 where it has none.
func (v view) columns(name string) int {
	if raw, ok := v.Tensor(name); ok && len(raw.Shape) > 1 {
		return raw.Shape[1]
	}
	return 0
}

// rows is the first size of a tensor; 0 where it has none.
func (v view) rows(name string) int {
	if raw, ok := v.Tensor(name); ok && len(raw.Shape) > 0 {
		return raw.Shape[0]
	}
	return 0
}

// count is how many blocks a prefix numbers, from 0 on without a gap.
func (v view) count(prefix string) int {
	seen := map[int]bool{}
	for _, name := range v.names {
		rest, ok := strings.CutPrefix(name, prefix)
		number, _, dotted := strings.Cut(rest, ".")
		if i, err := strconv.Atoi(number); ok && dotted && err == nil {
			seen[i] = true
		}
	}
	n := 0
	for seen[n] {
		n++
	}
	return n
}
