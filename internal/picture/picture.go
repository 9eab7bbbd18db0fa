package picture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"

	"taca/internal/atomicfile"
)

// Text is a named remark inside a PNG.
type Text struct{ Key, Value string }

// Encode is img as a PNG with remarks after its header.
func Encode(img image.Image, remarks ...Text) ([]byte, error) {
	var plain bytes.Buffer
	if err := png.Encode(&plain, img); err != nil {
		return nil, fmt.Errorf("encode a PNG: %w", err)
	}
	const header = len(signature) + 4 + 4 + 13 + 4 // IHDR comes first, with 13 bytes of data
	out := append([]byte{}, plain.Bytes()[:header]...)
	for _, r := range remarks {
		out = text(r.Key, r.Value).append(out)
	}
	return append(out, plain.Bytes()[header:]...), nil
}

// Write puts an encoded picture into a file, whole or not at all.
func Write(path string, data []byte) error {
	return atomicfile.WriteBytes(path, data)
}

// Remarks reads all texts of a PNG file.
func Remarks(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, errors.Unwrap(err))
	}
	defer f.Close()
	remarks, err := scan(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return remarks, nil
}

func scan(r io.Reader) (map[string]string, error) {
	head := make([]byte, len(signature))
	if _, err := io.ReadFull(r, head); err != nil || string(head) != signature {
		return nil, errors.New("it is no PNG file")
	}
	remarks := map[string]string{}
	for {
		c, err := next(r)
		if err != nil {
			return nil, err
		}
		if key, value, ok := c.text(); ok {
			remarks[key] = value
		}
		if c.kind == "IEND" {
			return remarks, nil
		}
	}
}
