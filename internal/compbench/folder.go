package compbench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"taca/internal/atomicfile"
	"taca/internal/sweep"
)

const (
	settingsFile = "compbench.json"
	samples      = "samples" // where the evaluators look
	unfinished   = "unfinished-"
)

// Folder is where the pictures of all categories lie. Any number of shards may
// fill it at once.
type Folder struct {
	path      string
	names     []string // of the pictures, by prompt and category
	perPrompt int
	work      string // this shard's own folder, for what is being written
	lock      *os.File
}

// Look is the folder as it is, to be asked what it Has and where. It need not
// exist. The cells of the grid are the pictures: prompts of one category after
// the other, and of each prompt as many seeds as it has pictures.
func Look(path string, categories []Category, g *sweep.Grid) (*Folder, error) {
	f := &Folder{path: path, perPrompt: len(g.Seeds)}
	for _, c := range categories {
		for i, prompt := range c.Prompts {
			for n := range f.perPrompt {
				f.names = append(f.names, filepath.Join(c.Name, samples, Name(prompt, i*f.perPrompt+n)))
			}
		}
	}
	if len(f.names) != g.Size() {
		return nil, fmt.Errorf("%d pictures of prompts, but %d of settings: give one of each", len(f.names), g.Size())
	}
	want, err := json.MarshalIndent(g, "", " ")
	if err != nil {
		return nil, err
	}
	found, err := os.ReadFile(filepath.Join(path, settingsFile))
	if errors.Is(err, fs.ErrNotExist) {
		refused := empty(path)
		if refused == nil {
			return f, nil
		}
		if found, err = os.ReadFile(filepath.Join(path, settingsFile)); err != nil { // unless another shard has just begun it
			return nil, refused
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(path, settingsFile), errors.Unwrap(err))
	}
	return f, sweep.SameSettings(path, found, want)
}

// empty refuses a folder with other things in it.
func empty(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, errors.Unwrap(err))
	}
	for _, e := range entries {
		if !atomicfile.Temporary(e.Name()) && !strings.HasPrefix(e.Name(), unfinished) {
			return &sweep.Refused{Problem: fmt.Sprintf("%s is not empty and holds no pictures for T2I-CompBench: choose another folder with --out", path)}
		}
	}
	return nil
}

// Open is Look, to write to. The work of a shard that was killed is removed.
func Open(path string, categories []Category, g *sweep.Grid, s sweep.Shard) (*Folder, error) {
	f, err := Look(path, categories, g)
	if err != nil {
		return nil, err
	}
	f.work = filepath.Join(path, fmt.Sprintf("%s%d-of-%d", unfinished, s.Index, s.Count))
	if err := f.take(); err != nil {
		return nil, err
	}
	if err := f.begin(categories, g); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// begin writes the settings, and makes the folders of categories.
func (f *Folder) begin(categories []Category, g *sweep.Grid) error {
	settings, err := json.MarshalIndent(g, "", " ")
	if err != nil {
		return err
	}
	file := filepath.Join(f.path, settingsFile)
	if _, err := os.Stat(file); err != nil {
		if err := atomicfile.WriteBytes(file, append(settings, '\n')); err != nil {
			return err
		}
	}
	for _, c := range categories {
		if err := makeFolder(filepath.Join(f.path, c.Name, samples)); err != nil {
			return err
		}
	}
	return nil
}

func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return fmt.Errorf("make %s: %w: choose another folder with --out", path, errors.Unwrap(err))
	}
	return nil
}

// take keeps another run of the same shard out, and removes what a run that is
// dead has left.
func (f *Folder) take() error {
	for f.lock == nil {
		if err := makeFolder(f.work); err != nil {
			return err
		}
		lock, err := os.Open(f.work)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another run has ended since
		}
		if err != nil {
			return fmt.Errorf("open %s: %w", f.work, errors.Unwrap(err))
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
			_ = lock.Close()
			return &sweep.Refused{Problem: fmt.Sprintf("another taca is painting this part of %s: wait for it, or choose another folder with --out", f.path)}
		}
		mine, errMine := lock.Stat()
		if there, err := os.Stat(f.work); errMine == nil && err == nil && os.SameFile(mine, there) {
			f.lock = lock
		} else {
			_ = lock.Close()
		}
	}
	left, err := os.ReadDir(f.work)
	for _, e := range left {
		err = errors.Join(err, os.Remove(filepath.Join(f.work, e.Name())))
	}
	if err != nil {
		return errors.Join(err, f.lock.Close())
	}
	return nil
}

// Close lets others in.
func (f *Folder) Close() error { return errors.Join(os.Remove(f.work), f.lock.Close()) }

// CellPath is where a cell's picture lies.
func (f *Folder) CellPath(c sweep.Cell) string { return filepath.Join(f.path, f.names[c.Index]) }

// Has reports whether a cell is painted. Its file appears whole or not at all.
func (f *Folder) Has(c sweep.Cell) bool {
	info, err := os.Stat(f.CellPath(c))
	return err == nil && info.Mode().IsRegular()
}

// Keep writes a picture elsewhere, and moves it to its place: the evaluators
// stumble over any other file beside their samples, were it a temporary one.
func (f *Folder) Keep(c sweep.Cell, p sweep.Painted) error {
	made := filepath.Join(f.work, "picture"+extension)
	if err := atomicfile.WriteBytes(made, p.Picture); err != nil {
		return err
	}
	if err := os.Rename(made, f.CellPath(c)); err != nil {
		return fmt.Errorf("write %s: %w", f.CellPath(c), errors.Unwrap(err))
	}
	return nil
}
