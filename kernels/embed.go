package kernels

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
)

//go:embed images/taca.fatbin
var fatbin []byte

//go:embed images/taca.ptx.gz
var ptx []byte

// Fatbin is machine code for every architecture that table.md lists, as the
// driver loads it.
func Fatbin() []byte { return fatbin }

// PTX is the same kernels for the driver to compile, for cards that are newer
// than the machine code.
func PTX() ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(ptx))
	if err != nil {
		return nil, fmt.Errorf("unpack the embedded PTX: %w", err)
	}
	return io.ReadAll(r)
}
