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
	"path/filepath"
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

// Write puts data into path in one piece: a temporary file beside it is
// filled, then renamed. After an error nothing is left behind, and an older
// file of that name is whole.
func Write(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".taca-*")
	if err != nil {
		return fmt.Errorf("write %s: %w: choose another --output", path, bare(err))
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w: free some space or choose another --output", path, bare(err))
		}
	}()
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// bare is err without the temporary file's name, which means nothing to
// people.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Writable tries whether a file can be made at path, before hours are spent
// on what goes into it.
func Writable(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("write %s: it is a folder: give --output a file name", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".taca-*")
	if err != nil {
		return fmt.Errorf("write %s: %w: choose another --output", path, bare(err))
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Remarks reads all texts of a PNG file.
func Remarks(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, bare(err))
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
