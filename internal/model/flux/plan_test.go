package flux_test

import (
	"encoding/json"
	"testing"

	"taca/internal/dry"
	"taca/internal/model"
	"taca/internal/model/flux"
	"taca/internal/tensor"
)

// modulation is the parameters of norm1.linear and norm1_context.linear of 19
// double blocks, norm.linear of 38 single blocks, norm_out.linear, and the
// embedders of timestep and pooled prompt.
const modulation = 19*2*6*(3072*3072+3072) + 38*3*(3072*3072+3072) + 2*(3072*3072+3072) +
	(256*3072 + 3072) + (768*3072 + 3072) + 2*(3072*3072+3072)

// The published models fit together at their true sizes, and have as many
// parameters as the reference's.
func TestTrueSizes(t *testing.T) {
	for _, c := range []struct {
		name, config string
		parameters   int
		steps        int // parameters that steps read, the others being the modulation's
	}{
		{"dev", `{"guidance_embeds": true}`, 11901408320, 11901408320 - modulation - 256*3072 - 3072 - 3072*3072 - 3072},
		{"schnell", `{}`, 11891178560, 11891178560 - modulation},
	} {
		var config flux.Config
		if err := json.Unmarshal([]byte(c.config), &config); err != nil {
			t.Fatal(err)
		}
		b := dry.New()
		m, err := flux.Open(config, nil, b, tensor.BF16)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.WeightBytes() / tensor.BF16.Size(); got != c.parameters {
			t.Errorf("%s: %d parameters, the reference has %d", c.name, got, c.parameters)
		}
		inSteps := 0
		for _, g := range b.Groups(false) {
			for _, n := range g {
				inSteps += n
			}
		}
		if got := inSteps / tensor.BF16.Size(); got != c.steps {
			t.Errorf("%s: %d parameters are read in steps, want %d", c.name, got, c.steps)
		}
		grid := m.Geometry().Patches(1024, 768)
		state := func(rows, cols int) tensor.Tensor {
			s, err := b.New(rows, cols, tensor.F32)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		e, err := m.Start(model.Trajectory{Grid: grid, Texts: []model.Conditioning{{Tokens: state(512, 4096), Pooled: state(1, 768)}},
			Steps: []model.Step{{Sigma: 1, Gamma: 1.2}}})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := e.Velocity(t.Context(), []tensor.Tensor{state(grid.Rows(), 64)}, state(grid.Rows(), 64), 0); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if calls := b.Verbs()["Attention"].Calls; calls != 19+38 {
			t.Errorf("%s: %d attentions, want %d", c.name, calls, 19+38)
		}
	}
}
