package flux

import (
	"fmt"
	"math"

	"taca/internal/tensor"
)

// theta is the longest wavelength of rope over 2π, which the reference fixes.
const theta = 10000

// rope keeps the table by which the queries and keys of tokens are turned:
// one row per token, with cosine and sine of each pair of a head's columns.
// A visual token is at (0, y, x); text tokens are all at the origin, where
// nothing turns.
type rope struct {
	axes    []int
	backend tensor.Backend

	table tensor.Tensor // (text + patches of grid) × head size, F32, or none yet
	text  int
	grid  tensor.Grid
}

// of is the table for so many text tokens and a grid of visual ones. It is
// computed when the picture's size changes; as text rows are all alike, fewer
// of them are a part of the same table.
func (r *rope) of(text int, grid tensor.Grid) (tensor.Tensor, error) {
	if r.table.None() || grid != r.grid || text > r.text {
		if err := r.compute(text, grid); err != nil {
			return tensor.Tensor{}, err
		}
	}
	return r.table.RowRange(r.text-text, r.table.Rows), nil
}

func (r *rope) compute(text int, grid tensor.Grid) error {
	r.drop()
	origin := r.turns(0, 0)
	origin = append(origin, r.turns(1, 0)...)
	origin = append(origin, r.turns(2, 0)...)
	var values []float32
	for range text {
		values = append(values, origin...)
	}
	columns := make([][]float32, grid.Width)
	for x := range columns {
		columns[x] = r.turns(2, x)
	}
	for y := range grid.Height {
		begin := append(r.turns(0, 0), r.turns(1, y)...)
		for x := range grid.Width {
			values = append(append(values, begin...), columns[x]...)
		}
	}
	table, err := r.backend.New(text+grid.Rows(), len(origin), tensor.F32)
	if err != nil {
		return fmt.Errorf("make room for rope: %w", err)
	}
	r.backend.Upload(table, values)
	r.table, r.text, r.grid = table, text, grid
	return nil
}

// turns is cosine and sine of each pair of columns of one axis. The angles
// are float64, as in the reference.
func (r *rope) turns(axis, position int) []float32 {
	size := r.axes[axis]
	out := make([]float32, 0, size)
	for i := 0; i < size; i += 2 {
		frequency := 1 / math.Pow(theta, float64(i)/float64(size))
		sin, cos := math.Sincos(float64(position) * frequency)
		out = append(out, float32(cos), float32(sin))
	}
	return out
}

func (r *rope) drop() {
	if !r.table.None() {
		r.backend.Free(r.table)
		r.table = tensor.Tensor{}
	}
}
