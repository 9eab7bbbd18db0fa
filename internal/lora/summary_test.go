package lora_test

import (
	"reflect"
	"testing"

	"taca/internal/lora"
)

// TestSummary: what a file says of itself needs no model.
func TestSummary(t *testing.T) {
	const other = "transformer.blocks.1.to_q"
	pairs := source{toQ + ".lora_A.weight": matrix(2, 4), toQ + ".lora_B.weight": matrix(3, 2), other + ".lora_A.weight": matrix(4, 4), other + ".lora_B.weight": matrix(3, 4)}
	alphas := source{toQ + ".lora_A.weight": matrix(2, 4), toQ + ".lora_B.weight": matrix(3, 2), toQ + ".alpha": number(3)}
	for _, c := range []struct {
		name     string
		file     source
		metadata map[string]string
		config   string
		want     lora.Summary
	}{
		{"no alpha", pairs, nil, "", lora.Summary{Trainer: "diffusers", Modules: 2, Ranks: []int{2, 4}, Scales: []float32{1}}},
		{"metadata", pairs, map[string]string{"lora_adapter_metadata": `{"transformer.lora_alpha":8}`}, "",
			lora.Summary{Trainer: "diffusers", Modules: 2, Ranks: []int{2, 4}, Alphas: []float64{8}, From: "metadata", Scales: []float32{2, 4}}},
		{"config", pairs, nil, `{"lora_alpha":8}`, lora.Summary{Trainer: "diffusers", Modules: 2, Ranks: []int{2, 4}, Alphas: []float64{8}, From: "adapter_config.json", Scales: []float32{2, 4}}},
		{"tensors", alphas, map[string]string{"software": `{"name":"ai-toolkit","version":"0.9"}`}, "",
			lora.Summary{Trainer: "diffusers", By: "ai-toolkit 0.9", Modules: 1, Ranks: []int{2}, Alphas: []float64{3}, From: "tensors", Scales: []float32{1.5}}},
		{"a module that is none", source{toQ + ".lora_A.weight": matrix(2, 4)}, nil, "", lora.Summary{Trainer: "diffusers", Refused: []string{"half of a pair of matrices is missing"}}},
	} {
		var config []byte
		if c.config != "" {
			config = []byte(c.config)
		}
		f, err := lora.New(c.file, c.metadata, config)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Summary(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
