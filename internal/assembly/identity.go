package assembly

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"taca/internal/checkpoint"
)

// projection is the matrix of a CLIP's last layer.
const projection = "text_projection.weight"

// projected is a CLIP whose projection changes nothing.
type projected struct {
	checkpoint.Weights
	identity checkpoint.Raw
	names    []string
}

// withIdentity gives an encoder the identity for its projection, in the format
// of its matrices where they hold plain numbers. One that has it already stays as
// it is.
func withIdentity(c checkpoint.Weights) checkpoint.Weights {
	p := &projected{Weights: c, names: c.Names()}
	if own, ok := c.Tensor(projection); !ok {
		p.names = append(slices.Clone(p.names), projection)
	} else if bytes.Equal(own.Bytes, identity(own).Bytes) {
		return c
	}
	like, _ := c.Tensor("text_model.encoder.layers.0.self_attn.q_proj.weight")
	p.identity = identity(like)
	return p
}

// identity is the identity of a matrix's size and format, or in F32.
func identity(like checkpoint.Raw) checkpoint.Raw {
	one, known := ones[like.Type]
	if !known {
		like.Type, one = "F32", ones["F32"]
	}
	width := 0
	if s := like.Shape; len(s) == 2 && s[0] == s[1] { // else the encoder is refused when it is opened
		width = s[0]
	}
	out := checkpoint.Raw{Shape: []int{width, width}, Type: like.Type, Bytes: make([]byte, width*width*len(one))}
	for i := range width {
		copy(out.Bytes[i*(width+1)*len(one):], one)
	}
	return out
}

// ones are the bytes of 1 in each format.
var ones = map[string][]byte{
	"F32":  binary.LittleEndian.AppendUint32(nil, math.Float32bits(1)),
	"BF16": binary.LittleEndian.AppendUint16(nil, uint16(math.Float32bits(1)>>16)),
	"F16":  binary.LittleEndian.AppendUint16(nil, 0x3c00),
}

// Fingerprint is not the file's, which may also be used as it is.
func (p *projected) Fingerprint(now time.Time) ([sha256.Size]byte, bool) {
	sum, ok := p.Weights.Fingerprint(now)
	return sha256.Sum256(append(sum[:], projection...)), ok
}

// Tensor implements checkpoint.Source.
func (p *projected) Tensor(name string) (checkpoint.Raw, bool) {
	if name == projection {
		return p.identity, true
	}
	return p.Weights.Tensor(name)
}

// Names implements checkpoint.Source.
func (p *projected) Names() []string { return p.names }
