package sd3_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/model"
	"taca/internal/model/modeltest"
	"taca/internal/model/sd3"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
	"taca/internal/trace"
)

const goldens = "testdata/*.safetensors"

var open = modeltest.Open(sd3.Open)

func TestBlockByBlockAgainstTheReference(t *testing.T) { modeltest.Walk(t, goldens, open) }

func TestBF16IsNoWorseThanNaive(t *testing.T) { modeltest.LowPrecision(t, goldens, open) }

func TestStepsAlone(t *testing.T) {
	modeltest.Alone(t, goldens, open, "transformer_blocks.0.norm1.linear", "context_embedder")
}

func TestTextsShareWeights(t *testing.T) { modeltest.Once(t, goldens, open) }

func TestCache(t *testing.T) {
	modeltest.Cache(t, goldens, open, "pos_embed", "transformer_blocks.0.visual")
}

func TestCacheOfTheSame(t *testing.T) { modeltest.CacheOfTheSame(t, goldens, open) }

func TestFullWidth(t *testing.T) {
	dir := os.Getenv("TACA_FULLWIDTH")
	if dir == "" {
		t.Skip("set TACA_FULLWIDTH to a folder made by scripts/golden/fullwidth.py (takes minutes and 4 GB of memory)")
	}
	modeltest.WalkWide(t, filepath.Join(dir, "sd3-*.safetensors"), open)
}

func TestGammaReachesEveryJointAttention(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/medium.safetensors")[0]
	spy := &modeltest.Spy{Backend: opstest.NewReference()}
	m := golden.Open(t, open, spy, tensor.F32)
	for _, run := range golden.Runs {
		spy.Specs, spy.Products = nil, nil
		run.Evaluate(t, spy, m)
		// Two dual blocks, and one whose text has no queries.
		if got := spy.Neighbours(); got != 2*3+1 {
			t.Errorf("%d times queries, keys and values of one operand follow one another, want 3 in each dual block and 1 in the last", got)
		}
		text, rows := run.Text.Rows, run.Text.Rows+run.X.Rows
		joint, alone := 0, 0
		for i, spec := range spy.Specs {
			switch {
			case spec.Text == tensor.Span{Lo: 0, Hi: text} && spec.Visual == tensor.Span{Lo: text, Hi: rows} && spec.Gamma == run.Gamma:
				joint++
			case spec.Text.Empty() && !spec.Tempered():
				alone++
			default:
				t.Errorf("%s: attention %d has gamma %v, text %v, visual %v", run.Name, i, spec.Gamma, spec.Text, spec.Visual)
			}
		}
		if joint != 3 || alone != 2 {
			t.Errorf("%s: %d joint and %d visual attentions, want 3 and 2", run.Name, joint, alone)
		}
	}
}

// Gamma changes what visual tokens see of the text, and nothing else: in the
// first block, whose inputs are the same, only the visual side of the joint
// attention.
func TestGammaChangesNothingElse(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/medium.safetensors")[0]
	recorder := trace.Record(opstest.NewReference())
	m := golden.Open(t, open, recorder, tensor.F32)
	attentions := func(gamma float32) map[string][]float32 {
		run := golden.Runs[0]
		run.Gamma = gamma
		run.Evaluate(t, recorder, m)
		values := map[string][]float32{}
		for _, n := range recorder.Take() {
			values[n.Name] = n.Values
		}
		return values
	}
	plain, tempered := attentions(1), attentions(1.5)
	for name, same := range map[string]bool{
		"transformer_blocks.0.attn.text":   true,
		"transformer_blocks.0.attn2":       true,
		"transformer_blocks.0.text":        true,
		"transformer_blocks.0.attn.visual": false,
		"transformer_blocks.1.attn.text":   false,
	} {
		if plain[name] == nil || slices.Equal(plain[name], tempered[name]) != same {
			t.Errorf("%s: equal with and without gamma should be %v", name, same)
		}
	}
}

func TestVelocityStopsWhenCancelled(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/large.safetensors")[0]
	ctx, cancel := context.WithCancel(t.Context())
	spy := &modeltest.Spy{Backend: opstest.NewReference(), After: cancel}
	m := golden.Open(t, open, spy, tensor.F32)
	if _, err := golden.Runs[0].Try(ctx, t, spy, m); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	if len(spy.Specs) != 1 {
		t.Errorf("%d blocks ran, want only the one in which the run was cancelled", len(spy.Specs))
	}
}

func TestVelocityRefusals(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/large.safetensors")[0]
	b := opstest.NewReference()
	m := golden.Open(t, open, b, tensor.F32)

	foreign := golden.Runs[0]
	foreign.Pooled.Cols, foreign.Pooled.Values = 2, foreign.Pooled.Values[:2]
	if _, err := foreign.Try(t.Context(), t, b, m); err == nil || !strings.Contains(err.Error(), "40 columns and 2 pooled, config.json wants 40 and 20") {
		t.Errorf("text of another model: error is %v", err)
	}

	wide := golden.Runs[0]
	wide.Height, wide.Width = 1, 7
	wide.X = trace.Named{Rows: 7, Cols: 64, Values: make([]float32, 7*64)}
	if _, err := wide.Try(t.Context(), t, b, m); err == nil || !strings.Contains(err.Error(), "7×1 tokens is too large, this model has places for 6×6") {
		t.Errorf("7 patches where there are places for 6: error is %v", err)
	}
}

func TestLayersAreWhereLoRAsLook(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/medium.safetensors")[0]
	var c sd3.Config
	if err := json.Unmarshal(golden.Config, &c); err != nil {
		t.Fatal(err)
	}
	m, err := sd3.Open(c, golden.Weights, opstest.NewReference(), tensor.F32)
	if err != nil {
		t.Fatal(err)
	}
	matrices := 0
	for _, name := range golden.Weights.Names() {
		path, isWeight := strings.CutSuffix(name, ".weight")
		if !isWeight || strings.Contains(path, ".norm_") {
			continue
		}
		matrices++
		if m.Layers()[path] == nil {
			t.Errorf("no layer at %s", path)
		}
	}
	if len(m.Layers()) != matrices {
		t.Errorf("%d layers, want %d", len(m.Layers()), matrices)
	}
	if want := (model.Geometry{Downscale: 8, Patch: 2, Channels: 16}); m.Geometry() != want {
		t.Errorf("geometry is %+v, want %+v", m.Geometry(), want)
	}
}
