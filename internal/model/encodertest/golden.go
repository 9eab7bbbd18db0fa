package encodertest

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/model/modeltest"
	"taca/internal/tensor"
	"taca/internal/trace"
)

// Golden is one model and what the reference computed with it.
type Golden struct {
	Name    string
	Config  json.RawMessage // its config.json
	Weights modeltest.Weights
	Runs    []Run
}

// Run is one forward pass: its input, what the reference's modules returned on
// the way, and what came out.
type Run struct {
	Name          string
	IDs           []int32 // of a text encoder: the prompt
	End           int     // of CLIP: the row that is pooled
	Height, Width int     // of a decoder: the grid of the latents

	Seen   []trace.Named          `json:"-"` // what modules returned, in no order
	Input  map[string]trace.Named `json:"-"`
	Output map[string]trace.Named `json:"-"`
	BF16   map[string]trace.Named `json:"-"` // outputs if the reference runs in bf16
}

// Goldens reads the files that match pattern. There must be some.
func Goldens(t *testing.T, pattern string) []Golden {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no goldens match %s (%v)", pattern, err)
	}
	goldens := make([]Golden, len(paths))
	for i, path := range paths {
		goldens[i] = open(t, path)
	}
	return goldens
}

func open(t *testing.T, path string) Golden {
	t.Helper()
	file, err := checkpoint.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	golden := Golden{Name: strings.TrimSuffix(filepath.Base(path), ".safetensors")}
	if err := json.Unmarshal([]byte(file.Metadata()["golden"]), &golden); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i := range golden.Runs {
		golden.Runs[i].read(t, file)
	}
	return golden
}

// read fills r with the tensors whose names begin with r's.
func (r *Run) read(t *testing.T, file checkpoint.Source) {
	t.Helper()
	kinds := map[string]*map[string]trace.Named{"input": &r.Input, "output": &r.Output, "bf16": &r.BF16}
	for _, into := range kinds {
		*into = map[string]trace.Named{}
	}
	for _, full := range file.Names() {
		name, mine := strings.CutPrefix(full, r.Name+"/")
		if !mine {
			continue
		}
		raw, _ := file.Tensor(full)
		values, err := checkpoint.Floats(raw)
		if err != nil {
			t.Fatalf("%s: %v", full, err)
		}
		n := trace.Named{Name: name, Rows: raw.Shape[0], Cols: raw.Shape[1], Values: values}
		if kind, rest, ok := strings.Cut(name, "/"); ok {
			n.Name = rest
			(*kinds[kind])[rest] = n
		} else {
			r.Seen = append(r.Seen, n)
		}
	}
}

// Upload puts an input into scratch memory of b.
func (r Run) Upload(b tensor.Backend, input string) tensor.Tensor {
	n := r.Input[input]
	x := b.Scratch(n.Rows, n.Cols, tensor.F32)
	b.Upload(x, n.Values)
	return x
}
