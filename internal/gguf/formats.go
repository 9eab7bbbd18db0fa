package gguf

import "taca/internal/tensor"

// format is how ggml stores numbers: blocks of columns in a number of bytes.
type format struct {
	name    string
	columns int
	bytes   int // 0: it is not read
}

// formats is by ggml's numbers (enum ggml_type).
var formats = map[uint32]format{
	0: stored(tensor.F32), 1: stored(tensor.F16), 30: stored(tensor.BF16),
	2: stored(tensor.Q4_0), 3: stored(tensor.Q4_1), 6: stored(tensor.Q5_0), 7: stored(tensor.Q5_1), 8: stored(tensor.Q8_0),
	10: stored(tensor.Q2_K), 11: stored(tensor.Q3_K), 12: stored(tensor.Q4_K), 13: stored(tensor.Q5_K), 14: stored(tensor.Q6_K),
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8}, 28: {"F64", 1, 8},
	9: {name: "Q8_1", columns: 1}, 15: {name: "Q8_K", columns: 1}, 16: {name: "IQ2_XXS", columns: 1}, 17: {name: "IQ2_XS", columns: 1},
	18: {name: "IQ3_XXS", columns: 1}, 19: {name: "IQ1_S", columns: 1}, 20: {name: "IQ4_NL", columns: 1}, 21: {name: "IQ3_S", columns: 1},
	22: {name: "IQ2_S", columns: 1}, 23: {name: "IQ4_XS", columns: 1}, 29: {name: "IQ1_M", columns: 1}, 34: {name: "TQ1_0", columns: 1},
	35: {name: "TQ2_0", columns: 1}, 39: {name: "MXFP4", columns: 1},
}

func stored(d tensor.DType) format { return format{d.String(), d.Grain(), d.RowBytes(d.Grain())} }
