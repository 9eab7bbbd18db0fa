package lora_test

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// source is a file in memory.
type source map[string]checkpoint.Raw

func (s source) Tensor(name string) (checkpoint.Raw, bool) { r, ok := s[name]; return r, ok }
func (s source) Names() []string                           { return slices.Sorted(maps.Keys(s)) }
func (s source) String() string                            { return "x.safetensors" }

func matrix(rows, cols int) checkpoint.Raw {
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = float32(i%5) - 1.5
	}
	return checkpoint.FromFloats("", []int{rows, cols}, values).Raw
}

func number(v float32) checkpoint.Raw { return checkpoint.FromFloats("", nil, []float32{v}).Raw }

// layers are two layers of 3 × 4 by their names in files.
func layers(t *testing.T, b tensor.Backend) map[string]*nn.Linear {
	t.Helper()
	out := map[string]*nn.Linear{}
	for _, name := range []string{"transformer.blocks.0.to_q", "transformer.blocks.0.to_out.0"} {
		w, err := b.New(3, 4, tensor.F32)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = &nn.Linear{W: w}
	}
	return out
}

// attach fits a file to layers of a transformer and hangs it on them.
func attach(at map[string]*nn.Linear, file source, metadata map[string]string, b tensor.Backend, scale float32) (*lora.LoRA, error) {
	f, err := lora.New(file, metadata, nil)
	if err != nil {
		return nil, err
	}
	canonical := map[string]*nn.Linear{}
	for name, l := range at {
		canonical[strings.TrimPrefix(name, "transformer.")] = l
	}
	l, err := f.Fit([]lora.Part{{Name: "transformer", Kind: lora.FLUX, Layers: canonical}}, lora.Options{Scale: scale})
	if err != nil {
		return nil, err
	}
	_, err = l.Attach("transformer", canonical, b)
	return l, err
}

// TestSpellings: every spelling of a key reaches its layer with its scale.
func TestSpellings(t *testing.T) {
	const q, out = "transformer.blocks.0.to_q", "transformer.blocks.0.to_out.0"
	flat := `{"transformer.r":2,"transformer.lora_alpha":6,"transformer.alpha_pattern":{"blocks.0.to_out.0":10}}`
	for _, c := range []struct {
		name, down, up, module string
		alpha                  string
		metadata               string
		scale                  float32
	}{
		{"diffusers", q + ".lora_A.weight", q + ".lora_B.weight", q, "", "", 1},
		{"alpha", q + ".lora_A.weight", q + ".lora_B.weight", q, q + ".alpha", "", 4},
		{"no prefix", "blocks.0.to_q.lora_A.weight", "blocks.0.to_q.lora_B.weight", q, "", "", 1},
		{"PEFT", "base_model.model.blocks.0.to_q.lora_A.weight", "base_model.model.blocks.0.to_q.lora_B.weight", q, "", "", 1},
		{"PEFT inside", "transformer.base_model.model.blocks.0.to_q.lora_A.weight", "transformer.base_model.model.blocks.0.to_q.lora_B.weight", q, "", "", 1},
		{"adapter name", q + ".lora_A.default.weight", q + ".lora_B.default.weight", q, "", "", 1},
		{"down up", q + ".lora_down.weight", q + ".lora_up.weight", q, q + ".alpha", "", 4},
		{"old", q + ".lora.down.weight", q + ".lora.up.weight", q, "", "", 1},
		{"to_out", "transformer.blocks.0.to_out.lora_A.weight", "transformer.blocks.0.to_out.lora_B.weight", out, "", "", 1},
		{"metadata", q + ".lora_A.weight", q + ".lora_B.weight", q, "", flat, 3},
		{"alpha pattern", out + ".lora_A.weight", out + ".lora_B.weight", out, "", flat, 5},
		{"alpha tensor first", q + ".lora_A.weight", q + ".lora_B.weight", q, q + ".alpha", flat, 4},
		{"named by PEFT", q + ".lora_A.default_0.weight", q + ".lora_B.default_0.weight", q, "", "", 1},
		{"no prefix in metadata", q + ".lora_A.weight", q + ".lora_B.weight", q, "", `{"r":2,"lora_alpha":6}`, 3},
		{"stabilised", q + ".lora_A.weight", q + ".lora_B.weight", q, "", `{"lora_alpha":6,"use_rslora":true}`, float32(6 / math.Sqrt2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := opstest.NewReference()
			at := layers(t, b)
			s := source{c.down: matrix(2, 4), c.up: matrix(3, 2)}
			if c.alpha != "" {
				s[c.alpha] = number(8)
			}
			metadata := map[string]string{}
			if c.metadata != "" {
				metadata["lora_adapter_metadata"] = c.metadata
			}
			if _, err := attach(at, s, metadata, b, 1); err != nil {
				t.Fatal(err)
			}
			if len(at[c.module].Adapters) != 1 {
				t.Fatalf("%s has %d adapters", c.module, len(at[c.module].Adapters))
			}
			if got := at[c.module].Adapters[0].Scale; got != c.scale {
				t.Errorf("scale %v, want %v", got, c.scale)
			}
		})
	}
}

// TestGate: open, the layer is x·Wᵀ + scale·(alpha/r)·x·Aᵀ·Bᵀ; closed, x·Wᵀ
// to the bit.
func TestGate(t *testing.T) {
	b := opstest.NewReference()
	at := layers(t, b)
	const q = "transformer.blocks.0.to_q"
	l, err := attach(at, source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(3, 2), q + ".alpha": number(8)}, nil, b, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Reserve(1 << 16); err != nil {
		t.Fatal(err)
	}
	x, y := b.Scratch(1, 4, tensor.F32), b.Scratch(1, 3, tensor.F32)
	b.Upload(x, []float32{1, 2, 3, 4})
	got := make([]float32, 3)
	at[q].Apply(b, y, x, tensor.Identity)
	b.Download(got, y)
	// A's rows are (-1.5, -.5, .5, 1.5) and (2.5, -1.5, -.5, .5); x·Aᵀ = (5, 0); B = (-1.5 -.5; .5 1.5; 2.5 -1.5); gate·alpha/r = 2.
	if want := []float32{-15, 5, 25}; !slices.Equal(got, want) {
		t.Errorf("open gate: %v, want %v", got, want)
	}
	l.Set(false)
	at[q].Apply(b, y, x, tensor.Identity)
	b.Download(got, y)
	if want := []float32{0, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("closed gate: %v, want %v", got, want)
	}
}
