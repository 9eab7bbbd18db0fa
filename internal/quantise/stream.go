package quantise

import (
	"context"
	"io"

	"taca/internal/checkpoint"
	"taca/internal/tensor"
)

// Becomes is a tensor, without its bytes, in a file whose transformer's matrices
// are to have the format to: those of blocks get it, whatever they were. What
// safetensors has no word for becomes BF16 elsewhere, and so does all that is
// narrower where to is BF16.
func Becomes(name string, raw checkpoint.Raw, to tensor.DType) checkpoint.Raw {
	raw.Bytes = nil
	from, number := tensor.ParseDType(raw.Type)
	if !number {
		return raw
	}
	d := from
	switch {
	case ofBlock(name, raw.Shape, to):
		d = to
	case from.Quantised(), to == tensor.BF16 && from.RowBytes(256) < to.RowBytes(256):
		d = tensor.BF16
	}
	if d != from {
		raw.Type, raw.Scale = d.String(), 0
	}
	return raw
}

// pieceBytes is how much of a tensor is in memory at once, about.
const pieceBytes = 4 << 20

// Stream writes a tensor's bytes in the format to, piece by piece: no more of it
// than that is in memory, nor of the file behind it.
func Stream(ctx context.Context, w io.Writer, raw checkpoint.Raw, to string) error {
	from, _ := tensor.ParseDType(raw.Type)
	d, _ := tensor.ParseDType(to)
	rows, cols := len(raw.Bytes), 1
	wide, narrow := 1, 1
	if raw.Type != to {
		rows, cols = layout(raw, from, d)
		wide, narrow = from.RowBytes(cols), d.RowBytes(cols)
	}
	n := max(1, pieceBytes/max(wide, narrow))
	var out []byte
	for lo := 0; lo < rows; lo += n {
		hi := min(lo+n, rows)
		piece := raw
		piece.Bytes = raw.Bytes[lo*wide : hi*wide]
		data := piece.Bytes
		if raw.Type != to {
			if out == nil {
				out = make([]byte, (hi-lo)*narrow)
			}
			data = out[:(hi-lo)*narrow]
			convert(data, piece, from, d, cols)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
		piece.Leave()
	}
	return nil
}

// layout is a tensor as rows that can be converted one by one: its own where one
// of the formats is of whole rows, else any that are short.
func layout(raw checkpoint.Raw, from, to tensor.DType) (rows, cols int) {
	n := raw.Elements()
	if n == 0 {
		return 0, 1
	}
	cols = 256
	if from.Rotated() || to.Rotated() {
		cols = raw.Shape[len(raw.Shape)-1]
	}
	for n%cols != 0 { // of both 256 and n blocks are a divisor
		cols /= 2
	}
	return n / cols, cols
}
