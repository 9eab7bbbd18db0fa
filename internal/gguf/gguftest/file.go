package gguftest

import (
	"encoding/binary"
	"maps"
	"slices"

	"taca/internal/gguf"
)

// Tensor is a tensor to be written.
type Tensor struct {
	Name  string
	Shape []int  // outermost first
	Type  string // F32, F16, BF16, Q8_0 or Q4_K
	Bytes []byte
}

// types are ggml's numbers of the formats.
var types = map[string]uint32{"F32": 0, "F16": 1, "BF16": 30, "Q8_0": 8, "Q4_K": 12}

const alignment = 32

// File is a GGUF file of tensors and texts.
func File(tensors []Tensor, metadata map[string]string) []byte {
	le := binary.LittleEndian
	text := func(out []byte, s string) []byte { return append(le.AppendUint64(out, uint64(len(s))), s...) }
	out := le.AppendUint32([]byte(gguf.Magic), 3)
	out = le.AppendUint64(out, uint64(len(tensors)))
	out = le.AppendUint64(out, uint64(len(metadata)))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		out = text(le.AppendUint32(text(out, key), 8), metadata[key])
	}
	at := 0
	for _, t := range tensors {
		out = le.AppendUint32(text(out, t.Name), uint32(len(t.Shape)))
		for _, d := range slices.Backward(t.Shape) {
			out = le.AppendUint64(out, uint64(d))
		}
		out = le.AppendUint64(le.AppendUint32(out, types[t.Type]), uint64(at))
		at += aligned(len(t.Bytes))
	}
	out = append(out, make([]byte, aligned(len(out))-len(out))...)
	for _, t := range tensors {
		out = append(append(out, t.Bytes...), make([]byte, aligned(len(t.Bytes))-len(t.Bytes))...)
	}
	return out
}

func aligned(n int) int { return (n + alignment - 1) / alignment * alignment }
