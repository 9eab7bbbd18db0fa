package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"taca/internal/atomicfile"
)

// Part is a folder that holds a sweep or a shard of one.
type Part struct {
	Path  string
	Shard Shard
	grid  *Grid
	json  []byte // of the grid
}

// Parts finds the folders of a sweep in those that are named: each is one, or
// holds shards of one.
func Parts(paths []string) ([]Part, error) {
	var parts []Part
	for _, p := range paths {
		shards, err := filepath.Glob(filepath.Join(p, shardPrefix+"*", gridFile))
		if err != nil {
			return nil, err
		}
		own := filepath.Join(p, gridFile)
		if _, err := os.Stat(own); err == nil {
			shards = append(shards, own)
		}
		if len(shards) == 0 {
			return nil, refuse("%s holds no sweep: give the folder that taca sweep was given with --out", p)
		}
		for _, file := range shards {
			part, err := readPart(filepath.Dir(file))
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(parts, func(other Part) bool { return other.Path == part.Path }) {
				parts = append(parts, part)
			}
		}
	}
	for _, p := range parts[1:] {
		if err := SameSettings(parts[0].Path, parts[0].json, p.json); err != nil {
			return nil, fmt.Errorf("%s does not belong to the others: %w", p.Path, err)
		}
	}
	return parts, nil
}

func readPart(path string) (Part, error) {
	data, err := os.ReadFile(filepath.Join(path, gridFile))
	if err != nil {
		return Part{}, told("read", path, err)
	}
	m := manifest{Grid: &Grid{}, Shard: &Shard{0, 1}}
	if err := json.Unmarshal(data, &m); err != nil || len(m.Grid.Prompts)*len(m.Grid.Gammas) == 0 {
		return Part{}, refuse("%s/%s is damaged", path, gridFile)
	}
	own, err := json.Marshal(m.Grid)
	return Part{filepath.Clean(path), *m.Shard, m.Grid, own}, err
}

// Merge brings the cells of all parts into the folder at path, which becomes, or
// goes on being, the folder of the whole sweep.
func Merge(path string, parts []Part) (*Folder, error) {
	to, err := open(path, parts[0].grid, Shard{0, 1}, true)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := to.take(p); err != nil {
			return nil, errors.Join(err, to.Close())
		}
	}
	if err := to.writeResults(); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return to, nil
}

// take brings in the cells of a part that are not here.
func (f *Folder) take(p Part) error {
	if p.Path == filepath.Clean(f.Path) {
		return nil
	}
	from := &Folder{Path: p.Path, Grid: f.Grid}
	data, err := os.ReadFile(from.in(resultsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return told("read", from.in(resultsFile), err)
	}
	lines := readResults(data)
	for _, c := range f.Grid.Cells() {
		if f.Has(c) || !from.Has(c) {
			continue
		}
		line, ok := lines[c.Index]
		if !ok {
			line = f.Grid.Result(c)
		}
		f.lines[c.Index] = line
		if err := link(from.CellPath(c), f.CellPath(c)); err != nil {
			return err
		}
	}
	return nil
}

// link makes a second name for a file, or a copy where that cannot be.
func link(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	source, err := os.Open(from)
	if err != nil {
		return told("read", from, err)
	}
	defer source.Close()
	return atomicfile.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, source)
		return err
	})
}

// Missing is how many cells are not painted.
func (f *Folder) Missing() int { return f.Grid.Size() - len(f.lines) }
