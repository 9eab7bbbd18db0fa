package clip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model/clip"
	"taca/internal/model/encodertest"
	"taca/internal/model/modeltest"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

const goldens = "testdata/*.safetensors"

type model struct{ *clip.Encoder }

func (m model) Forward(ctx context.Context, run encodertest.Run) (map[string]tensor.Tensor, error) {
	out, err := m.Encode(ctx, run.IDs)
	said := map[string]tensor.Tensor{"penultimate": out.Penultimate, "last": out.Last, "pooled": out.Pooled, "projected": out.Projected}
	maps.DeleteFunc(said, func(_ string, t tensor.Tensor) bool { return t.None() })
	return said, err
}

func open(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (encodertest.Model, error) {
	var c clip.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	m, err := clip.Open(c, source, b, d)
	return model{m}, err
}

func TestLayerByLayerAgainstTheReference(t *testing.T) { encodertest.Walk(t, goldens, open) }

func TestBF16IsNoWorseThanNaive(t *testing.T) { encodertest.LowPrecision(t, goldens, open) }

func TestTheFirstDifferenceIsTheCause(t *testing.T) {
	encodertest.Localizes(t, "testdata/projected.safetensors", open, map[string]string{
		"text_model.embeddings.position_embedding.weight":       "text_model.embeddings",
		"text_model.encoder.layers.0.self_attn.q_proj.weight":   "text_model.encoder.layers.0.self_attn",
		"text_model.encoder.layers.1.self_attn.out_proj.weight": "text_model.encoder.layers.1.self_attn",
		"text_model.encoder.layers.1.mlp.fc2.bias":              "text_model.encoder.layers.1.mlp",
		"text_model.final_layer_norm.weight":                    "text_model.final_layer_norm",
		"text_projection.weight":                                "text_projection",
	})
}

func TestFullWidth(t *testing.T) {
	dir := os.Getenv("TACA_FULLWIDTH")
	if dir == "" {
		t.Skip("set TACA_FULLWIDTH to a folder made by scripts/golden/fullwidth_encoders.py (takes a minute and 1 GB of memory)")
	}
	encodertest.FullWidth(t, filepath.Join(dir, "clip-*.safetensors"), open)
}

// What lies behind a token must not reach it.
func TestAttentionIsCausal(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/legacy.safetensors")[0]
	b := opstest.NewReference()
	m := golden.Open(t, open, b, tensor.F32).(model)
	ids := slices.Clone(golden.Runs[0].IDs)
	last := func() []float32 {
		out, err := m.Encode(t.Context(), ids)
		if err != nil {
			t.Fatal(err)
		}
		values := make([]float32, out.Last.Rows*out.Last.Cols)
		b.Download(values, out.Last)
		return values
	}
	before := last()
	ids[7]++
	after, width := last(), len(before)/len(ids)
	if !slices.Equal(before[:7*width], after[:7*width]) {
		t.Error("rows before the changed token changed")
	}
	if slices.Equal(before[8*width:], after[8*width:]) {
		t.Error("rows behind the changed token did not change")
	}
}

// The golden's prompts tell the rules apart.
func TestPooledRow(t *testing.T) {
	for _, golden := range encodertest.Goldens(t, goldens) {
		m := golden.Open(t, open, dry.New(), tensor.F32).(model)
		for _, run := range golden.Runs {
			out, err := m.Encode(t.Context(), run.IDs)
			if err != nil {
				t.Fatal(err)
			}
			if got := (out.Pooled.Offset - out.Last.Offset) / out.Last.Stride; got != run.End {
				t.Errorf("%s %s: row %d of %v is pooled, want %d", golden.Name, run.Name, got, run.IDs, run.End)
			}
		}
	}
}

func TestEncodeRefusesForeignTokens(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/legacy.safetensors")[0]
	m := golden.Open(t, open, opstest.NewReference(), tensor.F32).(model)
	for _, c := range []struct {
		ids  []int32
		want string
	}{
		{nil, "no tokens"},
		{[]int32{5, 100}, "token 1 has id 100, but config.json has a vocabulary of 100"},
		{[]int32{-1}, "token 0 has id -1"},
		{make([]int32, 78), "78 tokens are more than the 77 positions"},
	} {
		if _, err := m.Encode(t.Context(), c.ids); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error is %v, want %q in it", c.ids, err, c.want)
		}
	}
}

func TestEncodeStopsWhenCancelled(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/legacy.safetensors")[0]
	ctx, cancel := context.WithCancel(t.Context())
	spy := &modeltest.Spy{Backend: opstest.NewReference(), After: cancel}
	m := golden.Open(t, open, spy, tensor.F32).(model)
	if _, err := m.Encode(ctx, golden.Runs[0].IDs); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	if len(spy.Specs) != 1 {
		t.Errorf("%d layers ran, want only the one in which the run was cancelled", len(spy.Specs))
	}
}

// Newer transformers write no prefix; whole CLIP models hold more than the
// text encoder, and old files the positions.
func TestOtherSpellings(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/projected.safetensors")[0]
	bare := func(name string) string { return strings.TrimPrefix(name, "text_model.") }
	for name, source := range map[string]checkpoint.Source{
		"bare": encodertest.Edited{Source: golden.Weights, Rename: bare, Added: map[string][]int{"embeddings.position_ids": {1, 77}}},
		"whole": encodertest.Edited{Source: golden.Weights, Added: map[string][]int{
			"text_model.embeddings.position_ids": {1, 77}, "logit_scale": {}, "visual_projection.weight": {20, 9},
			"vision_model.encoder.layers.0.mlp.fc1.weight": {8, 8},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := open(golden.Config, source, dry.New(), tensor.F32)
			if err != nil {
				t.Fatal(err)
			}
			if m.(model).Layers()["text_model.encoder.layers.1.mlp.fc1"] == nil {
				t.Error("a LoRA finds no layer")
			}
		})
	}
}

func TestOpenListsAllDefects(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/projected.safetensors")[0]
	golden.WantDefects(t, open, encodertest.Edited{
		Source: golden.Weights,
		Rename: func(name string) string {
			return strings.ReplaceAll(name, "layers.1.mlp.fc1.bias", "layers.1.mlp.fc1.bais")
		},
		Reshape: func(name string, shape []int) []int {
			if name == "text_projection.weight" {
				return []int{48, 20}
			}
			return shape
		},
		Added: map[string][]int{"encoder.layers.0.mlp.fc1.weight": {40, 48}},
	},
		[]string{"text_model.encoder.layers.1.mlp.fc1.bias [40]"},
		[]string{"text_projection.weight is [48 20], config wants [20 48]"},
		[]string{"encoder.layers.0.mlp.fc1.weight", "text_model.encoder.layers.1.mlp.fc1.bais"})
}

func TestProjection(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/projected.safetensors")[0]
	without := encodertest.Edited{Source: golden.Weights, Rename: func(name string) string {
		return strings.Replace(name, "text_projection.weight", "", 1)
	}}
	golden.WantDefects(t, open, without, []string{"text_projection.weight [20 48]"}, nil, nil)

	sizes := `"hidden_size": 48, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 3, "hidden_act": "gelu",
		"vocab_size": 100, "max_position_embeddings": 24, "projection_dim": 20`
	for _, c := range []struct {
		architectures string
		source        checkpoint.Source
		want          bool
	}{
		{`["CLIPTextModelWithProjection"]`, golden.Weights, true},
		{`["CLIPTextModelWithProjection"]`, nil, true},
		{`["CLIPTextModel"]`, golden.Weights, true},
		{`["CLIPTextModel"]`, without, false},
		{`["CLIPTextModel"]`, nil, false},
		{`null`, golden.Weights, true},
		{`null`, without, false},
		{`null`, nil, true},
	} {
		m, err := open(fmt.Appendf(nil, `{%s, "architectures": %s}`, sizes, c.architectures), c.source, dry.New(), tensor.F32)
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.(model).Encode(t.Context(), []int32{1, 2})
		if err != nil || out.Projected.None() == c.want {
			t.Errorf("%s from %v: projected is %v (%v)", c.architectures, c.source, out.Projected, err)
		}
	}
}

func TestLayersAreWhereLoRAsLook(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/projected.safetensors")[0]
	m := golden.Open(t, open, dry.New(), tensor.F32).(model)
	var want []string
	for i := range 2 {
		for _, part := range []string{"mlp.fc1", "mlp.fc2", "self_attn.k_proj", "self_attn.out_proj", "self_attn.q_proj", "self_attn.v_proj"} {
			want = append(want, fmt.Sprintf("text_model.encoder.layers.%d.%s", i, part))
		}
	}
	want = append(want, "text_projection")
	if got := slices.Sorted(maps.Keys(m.Layers())); !slices.Equal(got, want) {
		t.Errorf("layers are %q, want %q", got, want)
	}
}

// The published models have as many parameters as the reference's.
func TestTrueSizes(t *testing.T) {
	for _, c := range []struct {
		name, config string
		parameters   int
		width        int
	}{
		{"CLIP-L of FLUX", `{"architectures": ["CLIPTextModel"], "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
			"eos_token_id": 2, "projection_dim": 768}`, 123060480, 0},
		{"CLIP-L", `{"architectures": ["CLIPTextModelWithProjection"], "hidden_size": 768, "intermediate_size": 3072,
			"num_attention_heads": 12, "eos_token_id": 2, "projection_dim": 768}`, 123650304, 768},
		{"CLIP-G", `{"architectures": ["CLIPTextModelWithProjection"], "hidden_size": 1280, "intermediate_size": 5120,
			"num_hidden_layers": 32, "num_attention_heads": 20, "hidden_act": "gelu", "eos_token_id": 2, "projection_dim": 1280}`, 694659840, 1280},
	} {
		b := dry.New()
		m, err := open([]byte(c.config), nil, b, tensor.BF16)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.WeightBytes() / tensor.BF16.Size(); got != c.parameters {
			t.Errorf("%s: %d parameters, the reference has %d", c.name, got, c.parameters)
		}
		out, err := m.(model).Encode(t.Context(), make([]int32, 77))
		if err != nil || out.Projected.Cols != c.width {
			t.Errorf("%s: projected is %v (%v), want %d columns", c.name, out.Projected, err, c.width)
		}
	}
}
