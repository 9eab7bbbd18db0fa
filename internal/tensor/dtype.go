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
	Q8                  // weights of Linear alone: rotated rows of int8, each with a scale; see RowBytes
	Q4                  // the same in four bits, with a small integer for every 32 of them
)

var dtypes = [...]struct {
	name string // as safetensors spells it, where it has a word for it
	size int
}{F32: {"F32", 4}, BF16: {"BF16", 2}, F16: {"F16", 2}, F8E4M3: {"F8_E4M3", 1}, Q8: {"Q8", 1}, Q4: {"Q4", 1}}

// Size is the number of bytes of one element; of quantised weights, whose
// elements have no address of their own, 1: their strides count bytes.
func (d DType) Size() int { return dtypes[d].size }

// QuantGrain is what the columns of quantised weights are a multiple of.
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

// Quantised reports whether d is made of scaled integers.
func (d DType) Quantised() bool { return d == Q8 || d == Q4 }

// RowBytes is the number of bytes of a row of cols elements, and the stride of
// quantised weights.
//
//	Q8: int8[cols], F32 scale; an element is scale · int8
//	Q4: byte[cols/2], uint8[cols/32] m, F32 scale; an element is scale · m · nibble,
//	    the nibble from -8 to 7 in two's complement, m·nibble an int8; byte i of
//	    16 holds elements i (low) and i+16 (high) of 32
func (d DType) RowBytes(cols int) int {
	switch d {
	case Q8:
		return cols + 4
	case Q4:
		return cols/2 + cols/QuantGrain + 4
	}
	return cols * d.Size()
}

// QuantColumns is the columns of quantised weights whose rows have that many
// bytes; false where none have.
func (d DType) QuantColumns(rowBytes int) (cols int, ok bool) {
	cols = rowBytes - 4
	if d == Q4 {
		cols = (rowBytes - 4) * QuantGrain / (QuantGrain/2 + 1)
	}
	return cols, d.Quantised() && cols > 0 && cols%QuantGrain == 0 && d.RowBytes(cols) == rowBytes
}

// CheckBind is an error unless raw can be rows × cols weights of format d.
func CheckBind(raw []byte, rows, cols int, d DType) error {
	if d.Quantised() && cols%QuantGrain != 0 {
		return fmt.Errorf("%d columns of %v, want a multiple of %d", cols, d, QuantGrain)
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
