package flux_test

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
	"taca/internal/model/flux"
	"taca/internal/model/modeltest"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

const goldens = "testdata/*.safetensors"

var open = modeltest.Open(flux.Open)

func TestBlockByBlockAgainstTheReference(t *testing.T) { modeltest.Walk(t, goldens, open) }

func TestBF16IsNoWorseThanNaive(t *testing.T) { modeltest.LowPrecision(t, goldens, open) }

func TestStepsAlone(t *testing.T) {
	modeltest.Alone(t, goldens, open, "transformer_blocks.0.norm1.linear", "context_embedder")
}

func TestTextsShareWeights(t *testing.T) { modeltest.Once(t, goldens, open) }

func TestCache(t *testing.T) {
	modeltest.Cache(t, goldens, open, "x_embedder", "transformer_blocks.0.visual")
}

func TestCacheOfTheSame(t *testing.T) { modeltest.CacheOfTheSame(t, goldens, open) }

func TestFullWidth(t *testing.T) {
	dir := os.Getenv("TACA_FULLWIDTH")
	if dir == "" {
		t.Skip("set TACA_FULLWIDTH to a folder made by scripts/golden/fullwidth.py (takes minutes and 4 GB of memory)")
	}
	modeltest.WalkWide(t, filepath.Join(dir, "flux-*.safetensors"), open)
}

func TestGammaReachesEveryBlock(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/dev.safetensors")[0]
	spy := &modeltest.Spy{Backend: opstest.NewReference()}
	m := golden.Open(t, open, spy, tensor.F32)
	for _, run := range golden.Runs {
		spy.Specs, spy.Products = nil, nil
		run.Evaluate(t, spy, m)
		if len(spy.Specs) != 4 {
			t.Fatalf("%d attentions, want one in each of 2 double and 2 single blocks", len(spy.Specs))
		}
		// The last block's text has no queries.
		if got := spy.Neighbours(); got != 2*2+1 {
			t.Errorf("%d times queries, keys and values of one operand follow one another, want 2 in each double block and 1 in the first single one", got)
		}
		text, rows := run.Text.Rows, run.Text.Rows+run.X.Rows
		for i, spec := range spy.Specs {
			if spec.Gamma != run.Gamma || spec.Text != (tensor.Span{Lo: 0, Hi: text}) || spec.Visual != (tensor.Span{Lo: text, Hi: rows}) {
				t.Errorf("%s: attention %d has gamma %v, text %v, visual %v", run.Name, i, spec.Gamma, spec.Text, spec.Visual)
			}
		}
	}
}

// A rope table is kept from one evaluation to the next, and a part of it
// serves fewer text tokens.
func TestRopeFitsWhateverCameBefore(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/dev.safetensors")[0]
	b := opstest.NewReference()
	last := golden.Runs[len(golden.Runs)-1]
	shorter := last
	shorter.Text.Rows -= 4
	shorter.Text.Values = shorter.Text.Values[:shorter.Text.Rows*shorter.Text.Cols]
	other := golden.Runs[0]

	used := golden.Open(t, open, b, tensor.F32)
	for _, run := range []modeltest.Run{last, shorter, last, other, shorter, last} {
		fresh := golden.Open(t, open, b, tensor.F32)
		if !slices.Equal(run.Evaluate(t, b, used).Values, run.Evaluate(t, b, fresh).Values) {
			t.Errorf("%d text tokens on %d×%d: the velocity depends on what was evaluated before", run.Text.Rows, run.Height, run.Width)
		}
	}
}

func TestVelocityStopsWhenCancelled(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/dev.safetensors")[0]
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

func TestVelocityRefusesForeignText(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/dev.safetensors")[0]
	b := opstest.NewReference()
	m := golden.Open(t, open, b, tensor.F32)
	run := golden.Runs[0]
	run.Pooled.Cols, run.Pooled.Values = 2, run.Pooled.Values[:2]
	if _, err := run.Try(t.Context(), t, b, m); err == nil || !strings.Contains(err.Error(), "24 columns and 2 pooled, config.json wants 24 and 12") {
		t.Errorf("error is %v", err)
	}
}

func TestOpenListsAllDefects(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/dev.safetensors")[0]
	spoilt := slices.Clone(golden.Weights)
	for i := range spoilt {
		switch spoilt[i].Name {
		case "proj_out.weight":
			spoilt[i].Shape = []int{3, 32}
		case "transformer_blocks.1.attn.to_k.bias":
			spoilt[i].Name = "transformer_blocks.1.attn.to_k.bais"
		}
	}
	_, err := open(golden.Config, spoilt, opstest.NewReference(), tensor.F32)
	var defects *nn.Defects
	if !errors.As(err, &defects) {
		t.Fatalf("error is %v", err)
	}
	for _, want := range []struct {
		kind []string
		name string
	}{
		{defects.Missing, "transformer_blocks.1.attn.to_k.bias [32]"},
		{defects.Misshapen, "proj_out.weight is [3 32], config wants [16 32]"},
		{defects.Unused, "transformer_blocks.1.attn.to_k.bais"},
	} {
		if !slices.Equal(want.kind, []string{want.name}) {
			t.Errorf("got %q, want %q alone", want.kind, want.name)
		}
	}
}

func TestLayersAreWhereLoRAsLook(t *testing.T) {
	golden := modeltest.Goldens(t, "testdata/dev.safetensors")[0]
	var c flux.Config
	if err := json.Unmarshal(golden.Config, &c); err != nil {
		t.Fatal(err)
	}
	m, err := flux.Open(c, golden.Weights, opstest.NewReference(), tensor.F32)
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
	if want := (model.Geometry{Downscale: 8, Patch: 2, Channels: 4, PatchLast: true}); m.Geometry() != want {
		t.Errorf("geometry is %+v, want %+v", m.Geometry(), want)
	}
}
