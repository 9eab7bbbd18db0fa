package quantise

import (
	"fmt"
	"runtime"
	"strings"
	"sync"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// Source is a transformer's checkpoint with the matrices of its blocks in
// another format. They are converted when they are asked for.
type Source struct {
	checkpoint.Source
	format tensor.DType
	bytes  bool
}

// New converts what s holds to d. With shapes alone it says what would be, and
// gives no bytes of what would be converted. Weights that are quantised already
// are an error where d is another format: they would lose more than either.
func New(s checkpoint.Source, d tensor.DType, shapesAlone bool) (*Source, error) {
	for _, name := range s.Names() {
		raw, _ := s.Tensor(name)
		if from, ok := tensor.ParseDType(raw.Type); ok && from.Quantised() && from != d {
			return nil, &checkpoint.Error{Path: s.String(), Problem: fmt.Sprintf("holds weights of %v, which cannot become %v", from, d),
				Hint: "leave --weights out, or let taca convert --weights write them in another format once"}
		}
	}
	return &Source{s, d, !shapesAlone}, nil
}

// Tensor is the tensor called name, converted where it is one of those.
func (s *Source) Tensor(name string) (checkpoint.Raw, bool) {
	raw, ok := s.Source.Tensor(name)
	from, number := tensor.ParseDType(raw.Type)
	if !ok || !number || !Converts(name, raw.Shape, from, s.format) {
		return raw, ok
	}
	out := checkpoint.Raw{Shape: raw.Shape, Type: s.format.String()}
	if s.bytes {
		cols := raw.Shape[1]
		out.Bytes = make([]byte, raw.Shape[0]*s.format.RowBytes(cols))
		convert(out.Bytes, raw, from, s.format, cols)
		raw.Leave()
	}
	return out, true
}

// Converts reports whether the tensor of that name, shape and format becomes
// one of format to: the matrices of blocks whose columns suit, unless they are
// as narrow already.
func Converts(name string, shape []int, from, to tensor.DType) bool {
	return ofBlock(name, shape, to) && to.RowBytes(shape[1]) < from.RowBytes(shape[1])
}

// ofBlock reports whether a tensor is a matrix of a block whose columns suit a
// format. Norms and modulation are none.
func ofBlock(name string, shape []int, to tensor.DType) bool {
	if !strings.Contains(name, "transformer_blocks.") || strings.Contains(name, ".norm") || !strings.HasSuffix(name, ".weight") || len(shape) != 2 {
		return false
	}
	return !to.Quantised() || shape[1] > 0 && shape[1]%to.Grain() == 0
}

// convert writes raw's rows, of so many columns, to out, shared among all
// processors.
func convert(out []byte, raw checkpoint.Raw, from, to tensor.DType, cols int) {
	wide, narrow := from.RowBytes(cols), to.RowBytes(cols)
	rows := len(out) / narrow
	workers := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			row := make([]float32, cols)
			for i := rows * w / workers; i < rows*(w+1)/workers; i++ {
				numbers(row, from, raw.Bytes[i*wide:(i+1)*wide])
				raw.Multiply(row)
				put(out[i*narrow:(i+1)*narrow], to, row)
			}
		})
	}
	all.Wait()
}

// put writes one row, which it may spoil.
func put(dst []byte, d tensor.DType, row []float32) {
	switch d {
	case tensor.F32:
		toF32(dst, row)
	case tensor.BF16:
		toBF16(dst, row)
	case tensor.F8E4M3:
		toF8(dst, row)
	default:
		integers(dst, d, row)
	}
}
