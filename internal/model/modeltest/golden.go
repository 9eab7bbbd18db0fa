package modeltest

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/model"
	"taca/internal/tensor"
	"taca/internal/trace"
)

// Golden is one model and what the reference computed with it.
type Golden struct {
	Name    string
	Config  json.RawMessage // its config.json
	Weights Weights
	Runs    []Run
}

// Run is one evaluation of a model: its inputs, and all that the reference's
// modules returned on the way.
type Run struct {
	Name            string
	Sigma, Guidance float32
	Gamma           float32
	Blocks          string // where gamma acts
	Height, Width   int    // of the grid of patches

	X      trace.Named   `json:"-"`
	Text   trace.Named   `json:"-"`
	Pooled trace.Named   `json:"-"`
	Seen   []trace.Named `json:"-"` // in no order
	BF16   *trace.Named  `json:"-"` // the velocity if the reference runs in bf16, or nil

	Watcher model.AttentionWatcher `json:"-"` // of Evaluate; or nil
}

// Goldens reads the files that match pattern. There must be some.
func Goldens(t *testing.T, pattern string) []Golden {
	t.Helper()
	var goldens []Golden
	Each(t, pattern, func(name string, told []byte, tensors []trace.Named) error {
		golden := Golden{Name: name}
		err := json.Unmarshal(told, &golden)
		for i := range golden.Runs {
			golden.Runs[i].take(tensors)
		}
		goldens = append(goldens, golden)
		return err
	})
	return goldens
}

// Each gives read the files that match pattern, of which there must be some:
// the file's name, what its writer told of it as JSON, and its tensors.
func Each(t *testing.T, pattern string, read func(name string, told []byte, tensors []trace.Named) error) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no goldens match %s (%v)", pattern, err)
	}
	for _, path := range paths {
		file, err := checkpoint.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		tensors, err := trace.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".safetensors")
		if err := read(name, []byte(file.Metadata()["golden"]), tensors); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

// take fills r with the tensors whose names begin with r's.
func (r *Run) take(all []trace.Named) {
	for _, n := range all {
		var mine bool
		if n.Name, mine = strings.CutPrefix(n.Name, r.Name+"/"); !mine {
			continue
		}
		switch n.Name {
		case "x":
			r.X = n
		case "text":
			r.Text = n
		case "pooled":
			r.Pooled = n
		case "bf16":
			r.BF16 = &n
		default:
			r.Seen = append(r.Seen, n)
		}
	}
}

// Want is the velocity that the reference made of the run's inputs.
func (r *Run) Want() trace.Named {
	for _, n := range r.Seen {
		if n.Name == "proj_out" {
			return n
		}
	}
	panic("golden without proj_out")
}

// Evaluate runs a model on the run's inputs, on the backend where it is open,
// and returns the velocity.
func (r *Run) Evaluate(t *testing.T, b tensor.Backend, m model.Denoiser) trace.Named {
	t.Helper()
	velocity, err := r.Try(t.Context(), t, b, m)
	if err != nil {
		t.Fatal(err)
	}
	return velocity
}

// Try is Evaluate where the model may refuse.
func (r *Run) Try(ctx context.Context, t *testing.T, b tensor.Backend, m model.Denoiser) (trace.Named, error) {
	t.Helper()
	velocity := trace.Named{Name: "proj_out", Rows: r.X.Rows, Cols: r.X.Cols, Values: make([]float32, len(r.X.Values))}
	x, dst := upload(t, b, r.X), upload(t, b, velocity)
	blocks, err := model.ParseBlocks(r.Blocks)
	if err != nil {
		return velocity, err
	}
	e, err := m.Start(model.Trajectory{
		Grid: tensor.Grid{Height: r.Height, Width: r.Width}, Guidance: r.Guidance,
		Texts: []model.Conditioning{{Tokens: upload(t, b, r.Text), Pooled: upload(t, b, r.Pooled)}},
		Steps: []model.Step{{Sigma: r.Sigma, Gamma: r.Gamma}}, Blocks: blocks, Watcher: r.Watcher,
	})
	if err != nil {
		return velocity, err
	}
	defer e.End()
	_, err = e.Velocity(ctx, []tensor.Tensor{dst}, x, 0)
	b.Download(velocity.Values, dst)
	return velocity, err
}

// upload makes state that lives as long as the test.
func upload(t *testing.T, b tensor.Backend, n trace.Named) tensor.Tensor {
	t.Helper()
	state, err := b.New(n.Rows, n.Cols, tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Free(state) })
	b.Upload(state, n.Values)
	return state
}
