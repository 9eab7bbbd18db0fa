package encodertest

import (
	"encoding/json"
	"strings"
	"testing"

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
	var goldens []Golden
	modeltest.Each(t, pattern, func(name string, told []byte, tensors []trace.Named) error {
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

// take fills r with the tensors whose names begin with r's.
func (r *Run) take(tensors []trace.Named) {
	kinds := map[string]*map[string]trace.Named{"input": &r.Input, "output": &r.Output, "bf16": &r.BF16}
	for _, into := range kinds {
		*into = map[string]trace.Named{}
	}
	for _, n := range tensors {
		var mine bool
		if n.Name, mine = strings.CutPrefix(n.Name, r.Name+"/"); !mine {
			continue
		}
		if kind, rest, ok := strings.Cut(n.Name, "/"); ok {
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
