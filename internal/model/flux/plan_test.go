package flux_test

import (
	"encoding/json"
	"testing"

	"taca/internal/dry"
	"taca/internal/model"
	"taca/internal/model/flux"
	"taca/internal/tensor"
)

// The published models fit together at their true sizes, and have as many
// parameters as the reference's.
func TestTrueSizes(t *testing.T) {
	for _, c := range []struct {
		name, config string
		parameters   int
	}{
		{"dev", `{"guidance_embeds": true}`, 11901408320},
		{"schnell", `{}`, 11891178560},
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
		grid := m.Geometry().Patches(1024, 768)
		state := func(rows, cols int) tensor.Tensor {
			s, err := b.New(rows, cols, tensor.F32)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		step := model.Step{Sigma: 1, Gamma: 1.2, Grid: grid, Text: model.Conditioning{Tokens: state(512, 4096), Pooled: state(1, 768)}}
		if err := m.Velocity(t.Context(), state(grid.Rows(), 64), state(grid.Rows(), 64), step); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if calls := b.Verbs()["Attention"].Calls; calls != 19+38 {
			t.Errorf("%s: %d attentions, want %d", c.name, calls, 19+38)
		}
	}
}
