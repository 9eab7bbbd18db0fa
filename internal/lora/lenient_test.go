package lora_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// blocks are two layers of 3 × 4 of a transformer, and one of an encoder.
func blocks(t *testing.T, b tensor.Backend) []lora.Part {
	t.Helper()
	at := layers(t, b)
	encoder := at["transformer.blocks.0.to_out.0"]
	return []lora.Part{
		{Name: "transformer", Kind: lora.FLUX, Layers: map[string]*nn.Linear{"blocks.0.to_q": at[toQ]}},
		{Name: "text_encoder", Kind: lora.CLIPL, Layers: map[string]*nn.Linear{"text_model.encoder.layers.0.mlp.fc1": encoder}},
	}
}

// TestLenient: what finds no place is left out by whole modules and listed, all
// else acts; where nothing is left the file is refused all the same.
func TestLenient(t *testing.T) {
	const fc1 = "lora_te1_text_model_encoder_layers_0_mlp_fc1"
	b := opstest.NewReference()
	for _, c := range []struct {
		name   string
		file   source
		closed string
		want   []lora.Omission
		layers map[string]int
	}{
		{"all of it", whole(source{fc1 + ".lora_down.weight": matrix(2, 4), fc1 + ".lora_up.weight": matrix(3, 2)}), "", nil, map[string]int{"transformer": 1, "text_encoder": 1}},
		{"a foreign key", whole(source{"emb_params": matrix(2, 4)}), "", []lora.Omission{{"these tensors are no part of a LoRA", []string{"emb_params"}}}, map[string]int{"transformer": 1}},
		{"a foreign module", whole(source{"x.lora_A.weight": matrix(2, 4), "x.lora_B.weight": matrix(3, 2), "x.alpha": number(1)}), "",
			[]lora.Omission{{"the model has no such layers; is this LoRA for another model?", []string{"x.alpha", "x.lora_A.weight", "x.lora_B.weight"}}}, map[string]int{"transformer": 1}},
		{"DoRA of one module", whole(source{fc1 + ".lora_down.weight": matrix(2, 4), fc1 + ".lora_up.weight": matrix(3, 2), fc1 + ".dora_scale": matrix(1, 3)}), "",
			[]lora.Omission{{"DoRA is not supported, and without its magnitudes the adapter would be a different one", []string{fc1 + ".dora_scale", fc1 + ".lora_down.weight", fc1 + ".lora_up.weight"}}},
			map[string]int{"transformer": 1}},
		{"a closed part", whole(source{fc1 + ".lora_down.weight": matrix(2, 4), fc1 + ".lora_up.weight": matrix(3, 2)}), "not here",
			[]lora.Omission{{"not here", []string{fc1 + ".lora_down.weight", fc1 + ".lora_up.weight"}}}, map[string]int{"transformer": 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts := blocks(t, b)
			parts[1].Closed = c.closed
			f, err := lora.New(c.file, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Fit(parts, lora.Options{Scale: 1}); (err != nil) != (c.want != nil) {
				t.Errorf("strictly: error %v", err)
			}
			l, err := f.Fit(parts, lora.Options{Scale: 1, Lenient: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := l.LeftOut(); !slices.EqualFunc(got, c.want, func(a, b lora.Omission) bool { return a.Problem == b.Problem && slices.Equal(a.Keys, b.Keys) }) {
				t.Errorf("left out %v, want %v", got, c.want)
			}
			if !maps.Equal(l.Layers(), c.layers) {
				t.Errorf("layers %v, want %v", l.Layers(), c.layers)
			}
		})
	}
	f, err := lora.New(source{"x.lora_A.weight": matrix(2, 4), "x.lora_B.weight": matrix(3, 2)}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fit(blocks(t, b), lora.Options{Scale: 1, Lenient: true}); err == nil || !strings.Contains(err.Error(), "nothing in it matches") {
		t.Errorf("a file of which nothing is left: error %v", err)
	}
}

// TestNothing: tensors that change no weight need no place.
func TestNothing(t *testing.T) {
	b := opstest.NewReference()
	zeros := func(shape ...int) checkpoint.Raw {
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := make([]float32, n)
		values[0] = float32(negativeZero())
		return checkpoint.FromFloats("", shape, values).Raw
	}
	for name, more := range map[string]source{
		"difference":          {"x.diff": zeros(3, 4), "x.diff_b": zeros(3)},
		"an untrained module": {"text_encoders.clip_l.transformer.text_projection.lora_down.weight": matrix(2, 4), "text_encoders.clip_l.transformer.text_projection.lora_up.weight": zeros(4, 2)},
		"bias of lora_B":      {toQ + ".lora_B.bias": zeros(3)},
	} {
		f, err := lora.New(whole(more), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := f.Fit(blocks(t, b), lora.Options{Scale: 1})
		if err != nil || len(l.LeftOut()) > 0 || l.Layers()["transformer"] != 1 {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func negativeZero() float64 { zero := 0.0; return -1 * zero }

// TestConfigBeside: PEFT's own configuration counts for a file that PEFT wrote,
// where nothing in the file says otherwise.
func TestConfigBeside(t *testing.T) {
	const q = "base_model.model.blocks.0.to_q"
	b := opstest.NewReference()
	for _, c := range []struct {
		name, config, prefix string
		alpha                bool
		metadata             map[string]string
		want                 float32
		refused              string
	}{
		{name: "none", prefix: q, want: 1},
		{name: "alpha", prefix: q, config: `{"peft_type":"LORA","r":2,"lora_alpha":6}`, want: 3},
		{name: "a pattern", prefix: q, config: `{"r":2,"lora_alpha":6,"alpha_pattern":{"to_q":10}}`, want: 5},
		{name: "an alpha tensor", prefix: q, config: `{"r":2,"lora_alpha":6}`, alpha: true, want: 4},
		{name: "metadata", prefix: q, config: `{"lora_alpha":6}`, metadata: map[string]string{"lora_adapter_metadata": `{"transformer.lora_alpha":1}`}, want: 0.5},
		{name: "not by PEFT", prefix: toQ, config: `{"lora_alpha":6}`, want: 1},
		{name: "another method", prefix: q, config: `{"peft_type":"LOHA"}`, refused: "adapter_config.json beside it says that it is LOHA, which is no LoRA"},
		{name: "no JSON", prefix: q, config: `{`, refused: "adapter_config.json beside it is not understood"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "adapter_model.safetensors")
			tensors := []checkpoint.Tensor{{Name: c.prefix + ".lora_A.weight", Raw: matrix(2, 4)}, {Name: c.prefix + ".lora_B.weight", Raw: matrix(3, 2)}}
			if c.alpha {
				tensors = append(tensors, checkpoint.Tensor{Name: c.prefix + ".alpha", Raw: number(8)})
			}
			if err := checkpoint.Write(path, tensors, c.metadata); err != nil {
				t.Fatal(err)
			}
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(dir, "adapter_config.json"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f, mapped, err := lora.Open(path)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("error %v, want one that says %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer mapped.Close()
			parts := blocks(t, b)
			l, err := f.Fit(parts, lora.Options{Scale: 1})
			if err == nil {
				_, err = l.Attach("transformer", parts[0].Layers, b)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := parts[0].Layers["blocks.0.to_q"].Adapters[0].Scale; got != c.want {
				t.Errorf("scale %v, want %v", got, c.want)
			}
		})
	}
}
