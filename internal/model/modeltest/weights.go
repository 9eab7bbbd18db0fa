package modeltest

import (
	"encoding/binary"
	"hash/fnv"
	"math"

	"taca/internal/checkpoint"
)

// Weights is a checkpoint without a file: each value is a formula of its
// tensor's name and its index, the same in scripts/golden/common.py. Tensors
// can be left out or changed to see what a model says to that.
type Weights []Plan

// Plan is how the values of one tensor are spread: centre + scale·k/64 with k
// in -64..63. All are bf16 values.
type Plan struct {
	Name   string  `json:"name"`
	Shape  []int   `json:"shape"`
	Scale  float32 `json:"scale"`
	Centre float32 `json:"centre"`
}

// Tensor implements checkpoint.Source.
func (w Weights) Tensor(name string) (checkpoint.Raw, bool) {
	for _, p := range w {
		if p.Name == name {
			return p.draw(), true
		}
	}
	return checkpoint.Raw{}, false
}

// Names implements checkpoint.Source.
func (w Weights) Names() []string {
	names := make([]string, len(w))
	for i, p := range w {
		names[i] = p.Name
	}
	return names
}

// String implements checkpoint.Source.
func (w Weights) String() string { return "golden weights" }

// draw computes a tensor: k is the top seven bits of splitmix64, seeded with
// FNV-1a of the name.
func (p Plan) draw() checkpoint.Raw {
	raw := checkpoint.Raw{Shape: p.Shape, Type: "BF16"}
	hash := fnv.New64a()
	hash.Write([]byte(p.Name))
	state := hash.Sum64()
	raw.Bytes = make([]byte, 0, 2*raw.Elements())
	for range raw.Elements() {
		state += 0x9e3779b97f4a7c15
		z := state
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		value := p.Centre + p.Scale*(float32(z>>57)-64)/64
		raw.Bytes = binary.LittleEndian.AppendUint16(raw.Bytes, uint16(math.Float32bits(value)>>16))
	}
	return raw
}
