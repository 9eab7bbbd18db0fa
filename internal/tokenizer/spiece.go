package tokenizer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// spiece is what a T5 tokenizer takes from a sentencepiece model (sentencepiece_model.proto).
type spiece struct {
	pieces   []piece
	added    []addedToken // the control and the user-defined pieces
	charsmap []byte       // empty if text is taken as it is
}

// Kinds of pieces that are looked for before the model sees the text.
const (
	controlPiece     = 3
	userDefinedPiece = 4
)

// parseSpiece reads a spiece.model: a protocol buffer with the pieces in field 1, the normaliser in field 3.
func parseSpiece(b []byte) (*spiece, error) {
	m := &spiece{}
	err := eachField(b, func(f field) error {
		switch {
		case f.number == 1 && f.wire == wireBytes:
			return m.addPiece(f.bytes)
		case f.number == 3 && f.wire == wireBytes:
			return eachField(f.bytes, func(f field) error {
				if f.number == 2 && f.wire == wireBytes {
					m.charsmap = f.bytes
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(m.pieces) == 0 {
		return nil, errors.New("no pieces: not a sentencepiece model")
	}
	return m, nil
}

// addPiece reads one piece: its text in field 1, score in field 2, kind in field 3.
func (m *spiece) addPiece(b []byte) error {
	var p piece
	kind := uint64(1)
	err := eachField(b, func(f field) error {
		switch {
		case f.number == 1 && f.wire == wireBytes:
			p.text = string(f.bytes)
		case f.number == 2 && f.wire == wireFixed32:
			p.score = float64(math.Float32frombits(uint32(f.value)))
		case f.number == 3 && f.wire == wireVarint && f.value >= 1 && f.value <= 6:
			kind = f.value
		}
		return nil
	})
	if err == nil && !utf8.ValidString(p.text) {
		err = errors.New("its text is not UTF-8")
	}
	if err != nil {
		return fmt.Errorf("piece %d: %w", len(m.pieces), err)
	}
	if kind == controlPiece || kind == userDefinedPiece {
		no := false
		m.added = append(m.added, addedToken{content: p.text, normalized: &no, special: kind == controlPiece})
	}
	m.pieces = append(m.pieces, p)
	return nil
}

// Wire types of protocol buffers (protobuf.dev/programming-guides/encoding).
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// field is one field of a message; bytes or value holds its content, by its wire type.
type field struct {
	number uint64
	wire   uint64
	value  uint64
	bytes  []byte
}

var errTruncated = errors.New("truncated protocol buffer")

// eachField calls f for every field of a message.
func eachField(b []byte, f func(field) error) error {
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return errTruncated
		}
		b = b[n:]
		fd := field{number: key >> 3, wire: key & 7}
		size := uint64(0)
		switch fd.wire {
		case wireVarint:
			fd.value, n = binary.Uvarint(b)
			if n <= 0 {
				return errTruncated
			}
			size = uint64(n)
		case wireFixed64:
			size = 8
		case wireFixed32:
			size = 4
		case wireBytes:
			size, n = binary.Uvarint(b)
			if n <= 0 {
				return errTruncated
			}
			b = b[n:]
		default:
			return fmt.Errorf("field %d has wire type %d: not a sentencepiece model", fd.number, fd.wire)
		}
		if size > uint64(len(b)) {
			return errTruncated
		}
		if fd.bytes = b[:size]; fd.wire == wireFixed32 {
			fd.value = uint64(binary.LittleEndian.Uint32(fd.bytes))
		}
		b = b[size:]
		if err := f(fd); err != nil {
			return err
		}
	}
	return nil
}
