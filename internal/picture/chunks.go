package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// signature is the first eight bytes of every PNG (W3C PNG, section 5.2).
const signature = "\x89PNG\r\n\x1a\n"

// largestText bounds the text chunks read from a foreign file. A prompt of a
// megabyte, escaped as JSON, has room.
const largestText = 8 << 20

// chunk is one section of a PNG.
type chunk struct {
	kind string // four letters
	data []byte
}

// text is a tEXt chunk, or iTXt where the value does not fit Latin-1.
func text(key, value string) chunk {
	latin := make([]byte, 0, len(value))
	for _, r := range value {
		if r > 0xff || r == 0 {
			return chunk{"iTXt", []byte(key + "\x00\x00\x00\x00\x00" + value)}
		}
		latin = append(latin, byte(r))
	}
	return chunk{"tEXt", append([]byte(key+"\x00"), latin...)}
}

// key and value of a text chunk; false for other chunks.
func (c chunk) text() (key, value string, ok bool) {
	name, rest, found := bytes.Cut(c.data, []byte{0})
	if !found {
		return "", "", false
	}
	switch c.kind {
	case "tEXt":
		var b bytes.Buffer
		for _, l := range rest {
			b.WriteRune(rune(l))
		}
		return string(name), b.String(), true
	case "iTXt":
		if len(rest) < 2 || rest[0] != 0 { // compressed text is never ours
			return "", "", false
		}
		_, rest, found = bytes.Cut(rest[2:], []byte{0}) // language
		if !found {
			return "", "", false
		}
		_, rest, found = bytes.Cut(rest, []byte{0}) // translated keyword
		return string(name), string(rest), found
	}
	return "", "", false
}

func (c chunk) append(to []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(c.data)))
	start := len(to)
	to = append(append(to, c.kind...), c.data...)
	return binary.BigEndian.AppendUint32(to, crc32.ChecksumIEEE(to[start:]))
}

// next reads one chunk. The data of chunks that hold no text is skipped.
func next(r io.Reader) (chunk, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return chunk{}, fmt.Errorf("the file ends early: %w", err)
	}
	size := binary.BigEndian.Uint32(head[:])
	c := chunk{kind: string(head[4:])}
	if size > 1<<31-1 {
		return chunk{}, errors.New("a chunk's size is absurd: the file is damaged")
	}
	if c.kind != "tEXt" && c.kind != "iTXt" || size > largestText {
		if _, err := io.CopyN(io.Discard, r, int64(size)+4); err != nil {
			return chunk{}, fmt.Errorf("the file ends early: %w", err)
		}
		return c, nil
	}
	var data bytes.Buffer // which grows with what comes, whatever the size says
	if _, err := io.CopyN(&data, r, int64(size)+4); err != nil {
		return chunk{}, fmt.Errorf("the file ends early: %w", err)
	}
	sum := binary.BigEndian.Uint32(data.Bytes()[size:])
	c.data = data.Bytes()[:size]
	if crc32.ChecksumIEEE(append([]byte(c.kind), c.data...)) != sum {
		return chunk{}, errors.New("a text chunk's checksum is wrong: the file is damaged")
	}
	return c, nil
}
