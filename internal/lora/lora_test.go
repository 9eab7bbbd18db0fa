package lora_test

import (
	"errors"
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

// layers are two layers of 3 × 4.
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
			if _, err := lora.Attach(at, s, metadata, b, 1); err != nil {
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

// TestRefusals: what does not fit is named, and nothing is attached.
func TestRefusals(t *testing.T) {
	const q, other = "transformer.blocks.0.to_q", "transformer.other"
	whole := func(more source) source {
		s := source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(3, 2)}
		maps.Copy(s, more)
		return s
	}
	for _, c := range []struct {
		name string
		file source
		want string
	}{
		{"empty", source{}, "x.safetensors: it holds no LoRA"},
		{"a model", source{"transformer_blocks.0.attn.to_q.weight": matrix(2, 4)}, "it holds no LoRA: transformer_blocks.0.attn.to_q.weight"},
		{"foreign layer", whole(source{other + ".lora_A.weight": matrix(2, 4), other + ".lora_B.weight": matrix(3, 2)}), "no such layers; is this LoRA for another model?: transformer.other.lora_A.weight, transformer.other.lora_B.weight"},
		{"nothing fits", source{other + ".lora_A.weight": matrix(2, 4), other + ".lora_B.weight": matrix(3, 2)}, "nothing in it matches the model's layers; is this LoRA for another model?: transformer.other.lora_A.weight"},
		{"foreign tensors", whole(source{"weights": matrix(2, 4), "more": matrix(2, 4)}), "no part of a LoRA: more, weights"},
		{"half", source{q + ".lora_A.weight": matrix(2, 4)}, "half of a pair of matrices is missing: " + q},
		{"width", source{q + ".lora_A.weight": matrix(2, 5), q + ".lora_B.weight": matrix(3, 2)}, "matrices are [2 5] and [3 2], the layer is [3 4]"},
		{"height", source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(4, 2)}, "matrices are [2 4] and [4 2], the layer is [3 4]"},
		{"rank", source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(3, 3)}, "matrices are [2 4] and [3 3]"},
		{"no rank", source{q + ".lora_A.weight": matrix(0, 4), q + ".lora_B.weight": matrix(3, 0)}, "matrices are [0 4] and [3 0]"},
		{"convolution", source{q + ".lora_A.weight": number(1), q + ".lora_B.weight": matrix(3, 2)}, "adapters of convolutions are not supported"},
		{"format", whole(source{q + ".lora_B.weight": {Shape: []int{3, 2}, Type: "I32", Bytes: make([]byte, 24)}}), "a matrix holds I32, which is no weight format"},
		{"DoRA", whole(source{q + ".lora_magnitude_vector": matrix(1, 3)}), "DoRA is not supported"},
		{"DoRA with a name", whole(source{q + ".lora_magnitude_vector.default.weight": matrix(1, 3)}), "DoRA is not supported"},
		{"DoRA of kohya", whole(source{q + ".dora_scale": matrix(1, 3)}), "DoRA is not supported"},
		{"bias", whole(source{q + ".lora_B.bias": matrix(1, 3)}), "a bias of lora_B is not supported: " + q + ".lora_B.bias"},
		{"bias with a name", whole(source{q + ".lora_B.default.bias": matrix(1, 3)}), "a bias of lora_B is not supported"},
		{"alpha", whole(source{q + ".alpha": matrix(1, 2)}), "want one number"},
		{"encoder", whole(source{"text_encoder.text_model.x.lora_A.weight": matrix(2, 4)}), "adapters of text encoders are not read yet: text_encoder."},
		{"patches", whole(source{"transformer.pos_embed.proj.lora_A.weight": matrix(2, 4)}), "the patch embedding is a convolution"},
		{"kohya", source{"lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": matrix(2, 4)}, `a LoRA of the kind "kohya, FLUX" is not read yet; convert it to diffusers names: lora_unet_double`},
		{"twice", whole(source{"blocks.0.to_q.lora_A.weight": matrix(2, 4)}), "two tensors of one file update the same layer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := opstest.NewReference()
			at := layers(t, b)
			_, err := lora.Attach(at, c.file, nil, b, 1)
			if err == nil {
				t.Fatal("no error")
			}
			var e *lora.Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			for name, l := range at {
				if len(l.Adapters) != 0 {
					t.Errorf("%s was changed all the same", name)
				}
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
	l, err := lora.Attach(at, source{q + ".lora_A.weight": matrix(2, 4), q + ".lora_B.weight": matrix(3, 2), q + ".alpha": number(8)}, nil, b, 0.5)
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
