package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
)

// Files of a tokenizer folder.
const (
	configFile     = "tokenizer_config.json"
	specialMapFile = "special_tokens_map.json"
	oldAddedFile   = "added_tokens.json"
	tokenizerFile  = "tokenizer.json"
	vocabFile      = "vocab.json"
	mergesFile     = "merges.txt"
)

// pointerStart begins the small files that Git LFS leaves where a clone has not fetched the real ones.
const pointerStart = "version https://git-lfs.github.com/spec/"

// readFile reads one file of the folder.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(fsys, name)
	if err == nil && bytes.HasPrefix(b, []byte(pointerStart)) {
		err = errors.New("is a Git LFS pointer, not the file itself; fetch it with git lfs pull")
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return b, nil
}

// readJSON decodes one file of the folder. If there is none, found is false and v is left alone.
func readJSON(fsys fs.FS, name string, v any) (found bool, err error) {
	b, err := readFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return true, fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return true, nil
}
