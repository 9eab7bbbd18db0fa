package sd3_test

import (
	"encoding/json"
	"testing"

	"taca/internal/dry"
	"taca/internal/model"
	"taca/internal/model/sd3"
	"taca/internal/tensor"
)

// The published models fit together at their true sizes, and have as many
// parameters (with the table of places) as the reference's.
func TestTrueSizes(t *testing.T) {
	for _, c := range []struct {
		name, config           string
		parameters, attentions int
	}{
		{"3.5 medium", `{"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536, "pos_embed_max_size": 384,
			"dual_attention_layers": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "qk_norm": "rms_norm"}`, 2469663936, 24 + 13},
		{"3.5 large", `{"num_layers": 38, "num_attention_heads": 38, "caption_projection_dim": 2432, "pos_embed_max_size": 192,
			"qk_norm": "rms_norm"}`, 8146280768, 38},
		{"3 medium", `{"num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536, "pos_embed_max_size": 192}`, 2084951104, 24},
	} {
		var config sd3.Config
		if err := json.Unmarshal([]byte(c.config), &config); err != nil {
			t.Fatal(err)
		}
		b := dry.New()
		m, err := sd3.Open(config, nil, b, tensor.BF16)
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
		e, err := m.Start(model.Trajectory{Grid: grid, Texts: []model.Conditioning{{Tokens: state(333, 4096), Pooled: state(1, 2048)}},
			Steps: []model.Step{{Sigma: 1, Gamma: 1.2}}})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if _, err := e.Velocity(t.Context(), []tensor.Tensor{state(grid.Rows(), 64)}, state(grid.Rows(), 64), 0); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if calls := b.Verbs()["Attention"].Calls; calls != c.attentions {
			t.Errorf("%s: %d attentions, want %d", c.name, calls, c.attentions)
		}
	}
}
