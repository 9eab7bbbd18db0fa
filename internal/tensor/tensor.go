package tensor

import "fmt"

// Tensor is a matrix view of one backend's memory. Rows are tokens or pixels,
// columns are channels. The zero Tensor stands for "none" where a verb says so.
type Tensor struct {
	Rows, Cols int
	Stride     int // elements from one row to the next
	Offset     int // first element
	DType      DType
	Scale      float32 // of weights: what their elements are multiplied by; 0 stands for 1
	Mem        Mem
}

// Factor is what the elements of t are multiplied by.
func (t Tensor) Factor() float32 {
	if t.Scale == 0 {
		return 1
	}
	return t.Scale
}

// Mem is memory owned by a backend; only that backend looks inside.
type Mem interface{ Bytes() int }

// None reports whether t is the zero Tensor, which stands for an absent operand.
func (t Tensor) None() bool { return t.Mem == nil }

// RowRange is rows [lo, hi) of t, sharing its memory.
func (t Tensor) RowRange(lo, hi int) Tensor {
	if lo < 0 || lo > hi || hi > t.Rows {
		panic(fmt.Sprintf("tensor: rows [%d, %d) of %v", lo, hi, t))
	}
	t.Offset, t.Rows = t.Offset+lo*t.Stride, hi-lo
	return t
}

// ColRange is columns [lo, hi) of t, sharing its memory. Quantised weights have
// none.
func (t Tensor) ColRange(lo, hi int) Tensor {
	if lo < 0 || lo > hi || hi > t.Cols || t.DType.Quantised() {
		panic(fmt.Sprintf("tensor: columns [%d, %d) of %v", lo, hi, t))
	}
	t.Offset, t.Cols = t.Offset+lo, hi-lo
	return t
}

// In is the rows of t inside s.
func (t Tensor) In(s Span) Tensor { return t.RowRange(s.Lo, s.Hi) }

// String is the shape and format, as error messages print it: "512×3072 BF16".
func (t Tensor) String() string {
	if t.None() {
		return "none"
	}
	return fmt.Sprintf("%d×%d %v", t.Rows, t.Cols, t.DType)
}

// Span is the half-open range of rows [Lo, Hi).
type Span struct{ Lo, Hi int }

// Len is the number of rows in s.
func (s Span) Len() int { return s.Hi - s.Lo }

// Empty reports whether s holds no row.
func (s Span) Empty() bool { return s.Hi <= s.Lo }

// Has reports whether row i lies in s.
func (s Span) Has(i int) bool { return s.Lo <= i && i < s.Hi }

// From is s where rows are counted from the given one on, and those before it
// are not there.
func (s Span) From(row int) Span { return Span{max(0, s.Lo-row), max(0, s.Hi-row)} }

// Grid is the height and width of an image whose pixels are the rows of a
// tensor, row-major: pixel (y, x) is row y·Width + x.
type Grid struct{ Height, Width int }

// Rows is the number of rows such an image has.
func (g Grid) Rows() int { return g.Height * g.Width }

// Twice is the grid after Upsample2x.
func (g Grid) Twice() Grid { return Grid{2 * g.Height, 2 * g.Width} }
