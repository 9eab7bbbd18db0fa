package main

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"taca/internal/hub/hubtest"
)

// hub [-gated] [-down] ORG/NAME DIR: from now on HF_ENDPOINT is a hub
// that holds the folder as a repository.
func hubOf(t *testing.T) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		repository := &hubtest.Repository{Files: map[string][]byte{}}
		down := false
		for strings.HasPrefix(args[0], "-") {
			repository.Gated = repository.Gated || args[0] == "-gated"
			down = down || args[0] == "-down"
			args = args[1:]
		}
		root := ts.MkAbs(args[1])
		ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			repository.Files[filepath.ToSlash(name)], err = os.ReadFile(path)
			return err
		}))
		s := hubtest.New(t, map[string]*hubtest.Repository{args[0]: repository})
		if down {
			s.Hub = func(w http.ResponseWriter, _ *http.Request, _ http.HandlerFunc) {
				w.Header().Set("Retry-After", "86400")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}
		ts.Setenv("HF_ENDPOINT", s.URL)
		ts.Setenv("NO_PROXY", "127.0.0.1")
	}
}
