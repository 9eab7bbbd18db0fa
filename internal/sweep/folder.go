package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"taca/internal/atomicfile"
)

// What lies in a sweep's folder.
const (
	gridFile    = "sweep.json"
	cellsFolder = "cells"
	sheetFolder = "sheets"
	resultsFile = "results.jsonl"
	reportFile  = "report.html"
)

// Folder is where a sweep, or a shard of one, keeps what is painted. While it is
// open nobody else can open it.
type Folder struct {
	Path  string
	Grid  *Grid
	lock  *os.File
	lines map[int]Result // by cell
}

// manifest is a folder's sweep.json.
type manifest struct {
	*Grid
	Shard *Shard `json:"shard,omitempty"`
}

// Refused is a folder that cannot be gone on with.
type Refused struct{ Problem string }

// Error says why.
func (r *Refused) Error() string { return r.Problem }

func refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// Open begins a sweep's folder below path, or goes on with one whose grid is
// the same. What a broken run left half-written is removed.
func Open(path string, g *Grid, s Shard) (*Folder, error) { return open(path, g, s, false) }

// open is Open; where shards are merged they may lie in the folder.
func open(path string, g *Grid, s Shard, merged bool) (*Folder, error) {
	f := &Folder{Path: filepath.Join(path, s.Folder()), Grid: g}
	if err := f.begin(path, s, merged); err != nil {
		return nil, err
	}
	if err := f.takeLock(); err != nil {
		return nil, err
	}
	if err := errors.Join(f.clean(), f.recover()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// begin makes the folder with its manifest, or holds the one that is there
// against the grid.
func (f *Folder) begin(path string, s Shard, merged bool) error {
	want, err := f.manifest(s)
	if err != nil {
		return err
	}
	if found, err := os.ReadFile(f.in(gridFile)); err == nil {
		return SameSettings(f.Path, found, want)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return told("read", f.in(gridFile), err)
	}
	if err := empty(path, s.Whole() && !merged); err != nil {
		return err
	}
	if err := os.MkdirAll(f.in(cellsFolder), 0o777); err != nil {
		return told("make", f.in(cellsFolder), err)
	}
	return atomicfile.WriteBytes(f.in(gridFile), append(want, '\n'))
}

// manifest is what the folder of a shard says of itself.
func (f *Folder) manifest(s Shard) ([]byte, error) {
	m := manifest{Grid: f.Grid}
	if !s.Whole() {
		m.Shard = &s
	}
	return json.MarshalIndent(m, "", " ")
}

// empty refuses a folder in which other things lie, and one with shards in it
// where they are not looked for.
func empty(path string, noShards bool) error {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return told("read", path, err)
	}
	for _, e := range entries {
		ours := atomicfile.Temporary(e.Name()) || slices.Contains([]string{gridFile, cellsFolder, sheetFolder, resultsFile, reportFile}, e.Name())
		switch shard := strings.HasPrefix(e.Name(), shardPrefix); {
		case shard && noShards:
			return refuse("%s holds shards of a sweep: give --shard i/n to go on with one, or run taca sweep report %s", path, path)
		case !ours && !shard:
			return refuse("%s is not empty and holds no sweep: choose another folder with --out", path)
		}
	}
	return nil
}

// SameSettings compares what two manifests of the folder at path say, the one
// that lies there and the one that is wanted, and names the first difference.
func SameSettings(path string, found, want []byte) error {
	var there, here map[string]json.RawMessage
	if err := json.Unmarshal(found, &there); err != nil {
		return refuse("%s says of its settings what is no JSON: %v; choose another folder with --out", path, err)
	}
	if err := json.Unmarshal(want, &here); err != nil {
		return err
	}
	for _, name := range fieldNames(want) {
		if !bytes.Equal(compact(there[name]), compact(here[name])) {
			return refuse("%s holds pictures of other settings: %s was %s, now it is %s; choose another folder with --out, or give the same settings to go on",
				path, name, brief(there[name]), brief(here[name]))
		}
		delete(there, name)
	}
	for name, value := range there {
		return refuse("%s holds pictures of other settings: %s was %s, now it is not given; choose another folder with --out, or give the same settings to go on", path, name, brief(value))
	}
	return nil
}

// fieldNames is the keys of a JSON object in their order.
func fieldNames(object []byte) []string {
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token() // the brace; Unmarshal has read it all
	var names []string
	for d.More() {
		name, _ := d.Token()
		var value json.RawMessage
		if d.Decode(&value) != nil {
			break
		}
		names = append(names, fmt.Sprint(name))
	}
	return names
}

func compact(value json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return nil
	}
	return b.Bytes()
}

// brief is a value as an error has room for it.
func brief(value json.RawMessage) string {
	const most = 120
	text := string(compact(value))
	if text == "" {
		return "not given"
	}
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "..."
	}
	return text
}

// takeLock keeps others out for as long as this process lives. Where the file
// system has no locks nobody is kept out.
func (f *Folder) takeLock() error {
	for {
		lock, err := os.OpenFile(f.in(gridFile), os.O_RDWR, 0)
		if err != nil {
			return told("open", f.in(gridFile), err)
		}
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			_ = lock.Close()
			return refuse("another taca is painting into %s: wait for it, or choose another folder with --out", f.Path)
		}
		// Two that begin at once may each have written the file: the one that
		// is there counts.
		mine, errMine := lock.Stat()
		there, errThere := os.Stat(f.in(gridFile))
		if errMine == nil && errThere == nil && os.SameFile(mine, there) {
			f.lock = lock
			return nil
		}
		_ = lock.Close()
		if err := errors.Join(errMine, errThere); err != nil {
			return err
		}
	}
}

// Close lets others in.
func (f *Folder) Close() error { return f.lock.Close() }

// clean removes temporary files of a run that was killed. The lock tells that
// they are nobody's.
func (f *Folder) clean() error {
	for _, dir := range []string{".", cellsFolder, sheetFolder} {
		entries, err := os.ReadDir(f.in(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return told("read", f.in(dir), err)
		}
		for _, e := range entries {
			if atomicfile.Temporary(e.Name()) {
				if err := os.Remove(filepath.Join(f.in(dir), e.Name())); err != nil {
					return told("remove", e.Name(), err)
				}
			}
		}
	}
	return nil
}

func (f *Folder) in(name string) string { return filepath.Join(f.Path, name) }

// CellPath is where a cell's picture lies.
func (f *Folder) CellPath(c Cell) string { return filepath.Join(f.Path, cellsFolder, f.Grid.File(c)) }

// Has reports whether a cell is painted. Its file appears whole or not at all.
func (f *Folder) Has(c Cell) bool {
	info, err := os.Stat(f.CellPath(c))
	return err == nil && info.Mode().IsRegular()
}

// told is err without what os repeats.
func told(what, path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s %s: %w", what, path, err)
}

// Look is a sweep's folder as it is, to be asked what it Has and no more. It need
// not exist.
func Look(path string, g *Grid, s Shard) (*Folder, error) {
	f := &Folder{Path: filepath.Join(path, s.Folder()), Grid: g}
	found, err := os.ReadFile(f.in(gridFile))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, told("read", f.in(gridFile), err)
	}
	want, err := f.manifest(s)
	if err != nil {
		return nil, err
	}
	return f, SameSettings(f.Path, found, want)
}
