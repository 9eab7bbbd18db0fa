package pipeline

import "taca/internal/tensor"

// rows is a matrix in host memory.
type rows struct {
	n, cols int
	data    []float32
}

// encoded is what one encoder says of one prompt.
type encoded struct {
	tokens rows      // one row per token
	pooled []float32 // the prompt as a whole; nil for T5
}

// Text is a prompt as the denoiser reads it, in host memory: encoders come and
// go, and the same text serves many pictures.
type Text struct {
	tokens rows
	pooled []float32
}

// fetch copies t to the host.
func fetch(b tensor.Backend, t tensor.Tensor) rows {
	r := rows{n: t.Rows, cols: t.Cols, data: make([]float32, t.Rows*t.Cols)}
	b.Download(r.data, t)
	return r
}

// paste copies src into r with its first element at (row, col).
func (r rows) paste(src rows, row, col int) {
	for i := range src.n {
		copy(r.data[(row+i)*r.cols+col:], src.data[i*src.cols:(i+1)*src.cols])
	}
}

func zeros(n, cols int) rows { return rows{n: n, cols: cols, data: make([]float32, n*cols)} }
