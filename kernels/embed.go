package kernels

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
)

//go:embed images/taca.fatbin.gz
var fatbin []byte

//go:embed images/taca.ptx.gz
var ptx []byte

// Fatbin is machine code for every architecture that images/table.md lists, as
// the driver loads it.
func Fatbin() ([]byte, error) { return unpack(fatbin) }

// PTX is the same kernels for the driver to compile, for cards that are newer
// than the machine code.
func PTX() ([]byte, error) { return unpack(ptx) }

func unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack the embedded kernels: %w", err)
	}
	return io.ReadAll(r)
}
