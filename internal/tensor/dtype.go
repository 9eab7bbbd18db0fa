package tensor

import (
	"fmt"
	"math/bits"
)

// DType is how the elements of a tensor are stored.
type DType uint8

// The number formats a backend understands. Activations are F32 or BF16;
// weights may be any of them and are widened where they are used.
const (
	F32    DType = iota // IEEE binary32
	BF16                // upper half of a binary32
	F16                 // IEEE binary16
	F8E4M3              // 8 bits, bias 7, no infinities, largest value 448 (the "fn" variant)
	F8E5M2              // upper half of a binary16
	Q8                  // weights of Linear alone: rotated rows of int8, each with a scale; see RowBytes
	Q4                  // the same in four bits, with a small integer for every 32 of them
	Q4_0                // from here on ggml's blocks of 32 columns; see internal/gguf
	Q4_1
	Q5_0
	Q5_1
	Q8_0
	Q2_K // and of 256
	Q3_K
	Q4_K
	Q5_K
	Q6_K
)

// A format is how a row is made of blocks of columns, which are elements where
// there is one column in each.
var dtypes = [...]struct {
	name    string // as safetensors spells it, where it has a word for it, or ggml
	columns int    // of a block
	bytes   int    // of a block
	more    int    // bytes at the end of a row
}{
	F32: {"F32", 1, 4, 0}, BF16: {"BF16", 1, 2, 0}, F16: {"F16", 1, 2, 0}, F8E4M3: {"F8_E4M3", 1, 1, 0}, F8E5M2: {"F8_E5M2", 1, 1, 0},
	Q8: {"Q8", QuantGrain, QuantGrain, 4}, Q4: {"Q4", QuantGrain, QuantGrain/2 + 1, 4},
	Q4_0: {"Q4_0", 32, 18, 0}, Q4_1: {"Q4_1", 32, 20, 0}, Q5_0: {"Q5_0", 32, 22, 0}, Q5_1: {"Q5_1", 32, 24, 0}, Q8_0: {"Q8_0", 32, 34, 0},
	Q2_K: {"Q2_K", 256, 84, 0}, Q3_K: {"Q3_K", 256, 110, 0}, Q4_K: {"Q4_K", 256, 144, 0}, Q5_K: {"Q5_K", 256, 176, 0}, Q6_K: {"Q6_K", 256, 210, 0},
}

// Size is the number of bytes of one element; of quantised weights, whose
// elements have no address of their own, 1: their strides count bytes.
func (d DType) Size() int {
	if d.Quantised() {
		return 1
	}
	return dtypes[d].bytes
}

// Grain is what the columns of a matrix must be a multiple of.
func (d DType) Grain() int { return dtypes[d].columns }

// QuantGrain is what the columns of rotated weights are a multiple of.
const QuantGrain = 32

// RotationWidth is how many neighbouring columns of quantised weights were
// rotated together: a power of two. Weights are W·D·H/RotationWidth and inputs
// become H·D·x, where H is the Hadamard matrix of that size and D has the sign
// of RotationSign: so a large input, of which transformers have a few, is
// spread over all columns before it is rounded (arXiv 2404.00456, section 4).
func RotationWidth(cols int) int { return min(cols&-cols, 256) }

// RotationSign is the k-th diagonal element of D: a bent function of 8 bits,
// so that a constant, which a GELU's outputs nearly are, is spread evenly too.
func RotationSign(k int) float32 {
	if bits.OnesCount(uint(k&(k>>4)&15))%2 == 1 {
		return -1
	}
	return 1
}

// Quantised reports whether the elements of d have no address of their own.
func (d DType) Quantised() bool { return dtypes[d].columns > 1 }

// Rotated reports whether d is a format of ours: rows of rotated integers, by
// which products are formed of integers.
func (d DType) Rotated() bool { return d == Q8 || d == Q4 }

// RowBytes is the number of bytes of a row of cols elements, and the stride of
// quantised weights.
//
//	Q8: int8[cols], F32 scale; an element is scale · int8
//	Q4: byte[cols/2], uint8[cols/32] m, F32 scale; an element is scale · m · nibble,
//	    the nibble from -8 to 7 in two's complement, m·nibble an int8; byte i of
//	    16 holds elements i (low) and i+16 (high) of 32
func (d DType) RowBytes(cols int) int {
	f := dtypes[d]
	return cols/f.columns*f.bytes + f.more
}

// RotatedColumns is the columns of rotated weights whose rows have that many
// bytes; false where none have.
func (d DType) RotatedColumns(rowBytes int) (cols int, ok bool) {
	f := dtypes[d]
	cols = (rowBytes - f.more) / f.bytes * f.columns
	return cols, d.Rotated() && cols > 0 && d.RowBytes(cols) == rowBytes
}

// CheckBind is an error unless raw can be rows × cols weights of format d.
func CheckBind(raw []byte, rows, cols int, d DType) error {
	if cols%d.Grain() != 0 {
		return fmt.Errorf("%d columns of %v, want a multiple of %d", cols, d, d.Grain())
	}
	if want := rows * d.RowBytes(cols); len(raw) != want {
		return fmt.Errorf("%d bytes for a %d×%d matrix of %v, want %d", len(raw), rows, cols, d, want)
	}
	return nil
}

// Weights is rows × cols weights of format d that begin where m does.
func Weights(m Mem, rows, cols int, d DType) Tensor {
	return Tensor{Rows: rows, Cols: cols, Stride: d.RowBytes(cols) / d.Size(), DType: d, Mem: m}
}

// String is the name safetensors gives the format.
func (d DType) String() string { return dtypes[d].name }

// ParseDType finds the format safetensors calls name; false where no verb
// understands it.
func ParseDType(name string) (DType, bool) {
	for d, t := range dtypes {
		if t.name == name {
			return DType(d), true
		}
	}
	return 0, false
}
