package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/demo"
)

// TestModelCutShort: a model's file that is cut short, or written anew, while
// pictures are painted of it ends the run with an error which names it. What
// was painted before is kept.
func TestModelCutShort(t *testing.T) {
	for what, c := range map[string]struct {
		file   string
		change func(path string) error
		want   string
	}{
		"transformer cut short": {"transformer/diffusion_pytorch_model.safetensors", func(path string) error { return os.Truncate(path, 1<<16) }, ": it was cut short while it was in use: leave"},
		"VAE emptied":           {"vae/diffusion_pytorch_model.safetensors", func(path string) error { return os.Truncate(path, 0) }, ": it was cut short while it was in use: leave"},
		"transformer written anew": {"transformer/diffusion_pytorch_model.safetensors", func(path string) error {
			data, err := os.ReadFile(path)
			return errors.Join(err, os.WriteFile(path, data, 0o600))
		}, ": it was "}, // cut short, where it is looked at in the middle
	} {
		dir := t.TempDir()
		if err := os.CopyFS(filepath.Join(dir, "model"), demo.Folder().FS()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("model", c.file)
		if err := os.Chmod(filepath.Join(dir, path), 0o600); err != nil {
			t.Fatal(err)
		}
		p := program(t, dir, "generate", "-m", "model", "-p", "a blue cube", "--steps", "2", "-W", "64", "-H", "64", "-n", "100000", "-o", "{index}.png")
		var said bytes.Buffer
		p.Stderr = &said
		painted, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(painted)
		first, err := lines.ReadString('\n')
		if err = errors.Join(err, c.change(filepath.Join(dir, path))); err != nil {
			t.Errorf("%s: %v", what, err)
			_ = p.Process.Kill()
		}
		_, err = io.Copy(io.Discard, lines)
		var exit *exec.ExitError
		if ended := p.Wait(); !errors.As(ended, &exit) || exit.ExitCode() != exitModel || err != nil {
			t.Errorf("%s: it ended with %v (%v), want exit code %d", what, ended, err, exitModel)
		}
		if text := said.String(); !strings.Contains(text, path+c.want) || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: it said\n%s", what, text)
		}
		if _, err := os.Stat(filepath.Join(dir, strings.TrimSpace(first))); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
