package lora

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"taca/internal/checkpoint"
	"taca/internal/demo"
)

// Digest is the SHA-256, in hexadecimal, of all that Open reads: of the file, and
// behind it of the configuration beside it where that counts. Errors are *checkpoint.Error.
func Digest(path string) (string, error) {
	if path == Embedded {
		sum := sha256.Sum256(demo.LoRABytes())
		return hex.EncodeToString(sum[:]), nil
	}
	source, err := checkpoint.OpenFile(path)
	if err != nil {
		return "", err
	}
	config, err := configBeside(source, path)
	if err = errors.Join(err, source.Close()); err != nil {
		return "", err
	}
	sum := sha256.New()
	f, err := os.Open(path)
	if err == nil {
		_, err = io.Copy(sum, f)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return "", &checkpoint.Error{Path: path, Problem: err.Error()}
	}
	sum.Write(config)
	return hex.EncodeToString(sum.Sum(nil)), nil
}
