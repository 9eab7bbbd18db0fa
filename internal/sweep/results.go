package sweep

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"taca/internal/atomicfile"
)

// Result is a line of results.jsonl: a cell, all that made it, and what is
// known of it. All but Seconds is the same however the sweep was run.
type Result struct {
	Index    int                `json:"index"`
	File     string             `json:"file"`
	Prompt   string             `json:"prompt"`
	Columns  map[string]string  `json:"columns,omitempty"`
	Seed     int64              `json:"seed"`
	Steps    int                `json:"steps"`
	Guidance json.Number        `json:"guidance"`
	Gamma    json.Number        `json:"gamma"`
	When     string             `json:"gamma_when,omitempty"`
	LoRA     string             `json:"taca_lora,omitempty"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
	Settings json.RawMessage    `json:"settings,omitempty"` // what the PNG remembers
	Seconds  *Seconds           `json:"seconds,omitempty"`
}

// Seconds is how long a cell took, the reading of its prompt left out, which
// serves several.
type Seconds struct {
	Denoising float64 `json:"denoising"`
	Decoding  float64 `json:"decoding"`
	Total     float64 `json:"total"`
}

// Result is what is known of a cell before it is painted.
func (g *Grid) Result(c Cell) Result {
	return Result{
		Index: c.Index, File: path.Join(cellsFolder, g.File(c)), Prompt: g.Prompts[c.Prompt].Text, Columns: g.Prompts[c.Prompt].Columns,
		Seed: c.Seed, Steps: c.Steps, Guidance: json.Number(c.Guidance), Gamma: json.Number(c.Gamma), When: c.When, LoRA: g.adapter(c),
	}
}

// Painted is a cell's picture and what came with it.
type Painted struct {
	Picture  []byte          // PNG
	Settings json.RawMessage // what it remembers
	Seconds  Seconds
	Metrics  map[string]float64
}

// Keep writes a cell's line and its picture, in this order: a picture whose
// line is missing could not tell its times, a line without its picture is
// dropped when the sweep goes on.
func (f *Folder) Keep(c Cell, p Painted) error {
	r := f.Grid.Result(c)
	r.Settings, r.Seconds, r.Metrics = p.Settings, &p.Seconds, p.Metrics
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := appendLine(f.in(resultsFile), line); err != nil {
		return err
	}
	f.lines[c.Index] = r
	return atomicfile.WriteBytes(f.CellPath(c), p.Picture)
}

// Metrics are those of a cell; nil where it is not painted, or has none.
func (f *Folder) Metrics(c Cell) map[string]float64 { return f.lines[c.Index].Metrics }

// Measure finds the metrics of painted cells that have none: their lines were
// cut off when a run ended.
func (f *Folder) Measure(measure func(c Cell, picture []byte) (map[string]float64, error)) error {
	for _, c := range f.Grid.Cells() {
		line, painted := f.lines[c.Index]
		if !painted || line.Metrics != nil {
			continue
		}
		picture, err := os.ReadFile(f.CellPath(c))
		if err != nil {
			return told("read", f.CellPath(c), err)
		}
		if line.Metrics, err = measure(c, picture); err != nil {
			return err
		}
		f.lines[c.Index] = line
	}
	return f.writeResults()
}

func appendLine(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return told("write", path, err)
	}
	_, err = file.Write(append(line, '\n'))
	if err = errors.Join(err, file.Close()); err != nil {
		return told("write", path, err)
	}
	return nil
}

// recover brings the results in line with the pictures that are there, whatever
// was cut off when the last run ended.
func (f *Folder) recover() error {
	data, err := os.ReadFile(f.in(resultsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return told("read", f.in(resultsFile), err)
	}
	found := readResults(data)
	f.lines = map[int]Result{}
	for _, c := range f.Grid.Cells() {
		if !f.Has(c) {
			continue
		}
		r := f.Grid.Result(c)
		if line, ok := found[c.Index]; ok && line.File == r.File {
			r = line
		}
		f.lines[c.Index] = r
	}
	return f.writeResults()
}

// readResults reads lines by cell; what is no line is left out, and of two about
// a cell the last counts.
func readResults(data []byte) map[int]Result {
	found := map[int]Result{}
	for _, line := range bytes.Split(data, []byte("\n")) {
		var r Result
		if json.Unmarshal(line, &r) == nil && r.File != "" {
			found[r.Index] = r
		}
	}
	return found
}

// writeResults writes all lines in the order of the cells, if that changes
// anything.
func (f *Folder) writeResults() error {
	var b bytes.Buffer
	for _, i := range slices.Sorted(maps.Keys(f.lines)) {
		line, err := json.Marshal(f.lines[i])
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	if old, err := os.ReadFile(f.in(resultsFile)); err == nil && bytes.Equal(old, b.Bytes()) || err != nil && b.Len() == 0 {
		return nil
	}
	return atomicfile.WriteBytes(f.in(resultsFile), b.Bytes())
}
