package t5_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dry"
	"taca/internal/model/encodertest"
	"taca/internal/model/modeltest"
	"taca/internal/model/t5"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
	"taca/internal/trace"
)

const goldens = "testdata/*.safetensors"

type model struct{ *t5.Encoder }

func (m model) Forward(ctx context.Context, run encodertest.Run) (map[string]tensor.Tensor, error) {
	rows, err := m.Encode(ctx, run.IDs)
	return map[string]tensor.Tensor{"rows": rows}, err
}

func open(config []byte, source checkpoint.Source, b tensor.Backend, d tensor.DType) (encodertest.Model, error) {
	var c t5.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	m, err := t5.Open(c, source, b, d)
	return model{m}, err
}

func TestBlockByBlockAgainstTheReference(t *testing.T) { encodertest.Walk(t, goldens, open) }

func TestBF16IsNoWorseThanNaive(t *testing.T) { encodertest.LowPrecision(t, goldens, open) }

func TestTheFirstDifferenceIsTheCause(t *testing.T) {
	bias := "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"
	encodertest.Localizes(t, "testdata/gated.safetensors", open, map[string]string{
		"shared.weight":  "encoder.embed_tokens",
		bias + ".weight": bias,
		"encoder.block.0.layer.0.SelfAttention.o.weight":     "encoder.block.0.layer.0.SelfAttention",
		"encoder.block.1.layer.0.SelfAttention.k.weight":     "encoder.block.1.layer.0.SelfAttention",
		"encoder.block.1.layer.1.DenseReluDense.wi_1.weight": "encoder.block.1.layer.1.DenseReluDense",
		"encoder.final_layer_norm.weight":                    "encoder.final_layer_norm",
	})
}

func TestFullWidth(t *testing.T) {
	dir := os.Getenv("TACA_FULLWIDTH")
	if dir == "" {
		t.Skip("set TACA_FULLWIDTH to a folder made by scripts/golden/fullwidth_encoders.py (takes a minute and 2 GB of memory)")
	}
	encodertest.FullWidth(t, filepath.Join(dir, "t5-*.safetensors"), open)
}

// T5-XXL's sums grow to 10⁵; here they do, too. In BF16 every module must stay
// finite and at most twice as far from the reference as the reference in bf16.
func TestBF16HoldsMassiveActivations(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/massive.safetensors")[0]
	recorder := trace.Record(opstest.NewReference())
	m := golden.Open(t, open, recorder, tensor.BF16)
	run := golden.Runs[0]
	if _, err := m.Forward(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	largest := 0.0
	for _, got := range recorder.Take() {
		i := slices.IndexFunc(run.Seen, func(n trace.Named) bool { return n.Name == got.Name })
		encodertest.CheckBF16(t, got, run.Seen[i], run.BF16[got.Name])
		for _, v := range got.Values {
			largest = math.Max(largest, math.Abs(float64(v)))
		}
	}
	if !(largest > 1e5) || math.IsInf(largest, 0) {
		t.Errorf("the largest activation is %g, want a finite one above 10⁵", largest)
	}
}

func TestEncodeRefusesForeignTokens(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/gated.safetensors")[0]
	m := golden.Open(t, open, opstest.NewReference(), tensor.F32).(model)
	for _, c := range []struct {
		ids  []int32
		want string
	}{
		{nil, "no tokens"},
		{[]int32{5, 60}, "token 1 has id 60, but config.json has a vocabulary of 60"},
		{[]int32{-1}, "token 0 has id -1"},
	} {
		if _, err := m.Encode(t.Context(), c.ids); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error is %v, want %q in it", c.ids, err, c.want)
		}
	}
}

func TestEncodeStopsWhenCancelled(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/gated.safetensors")[0]
	ctx, cancel := context.WithCancel(t.Context())
	spy := &modeltest.Spy{Backend: opstest.NewReference(), After: cancel}
	m := golden.Open(t, open, spy, tensor.F32).(model)
	if _, err := m.Encode(ctx, golden.Runs[0].IDs); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
	if len(spy.Specs) != 1 {
		t.Errorf("%d blocks ran, want only the one in which the run was cancelled", len(spy.Specs))
	}
}

// The embeddings have two names, and whole T5s a decoder.
func TestOtherSpellings(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/gated.safetensors")[0]
	for name, source := range map[string]checkpoint.Source{
		"alias alone": encodertest.Edited{Source: golden.Weights, Rename: func(name string) string {
			return strings.Replace(name, "shared.weight", "encoder.embed_tokens.weight", 1)
		}},
		"both": encodertest.Edited{Source: golden.Weights, Added: map[string][]int{"encoder.embed_tokens.weight": {60, 32}}},
		"whole": encodertest.Edited{Source: golden.Weights, Added: map[string][]int{
			"lm_head.weight": {60, 32}, "decoder.block.0.layer.0.layer_norm.weight": {32},
		}},
	} {
		if _, err := open(golden.Config, source, dry.New(), tensor.F32); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenListsAllDefects(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/gated.safetensors")[0]
	golden.WantDefects(t, open, encodertest.Edited{
		Source: golden.Weights,
		Rename: func(name string) string { return strings.Replace(name, "shared.weight", "", 1) },
		Reshape: func(name string, shape []int) []int {
			if name == "encoder.block.0.layer.0.SelfAttention.o.weight" {
				return []int{24, 32}
			}
			return shape
		},
		// T5 v1.0 has one wide matrix.
		Added: map[string][]int{"encoder.block.1.layer.1.DenseReluDense.wi.weight": {48, 32}},
	},
		[]string{"shared.weight [60 32]"},
		[]string{"encoder.block.0.layer.0.SelfAttention.o.weight is [24 32], config wants [32 24]"},
		[]string{"encoder.block.1.layer.1.DenseReluDense.wi.weight"})
}

func TestLayersAreWhereLoRAsLook(t *testing.T) {
	golden := encodertest.Goldens(t, "testdata/gated.safetensors")[0]
	m := golden.Open(t, open, dry.New(), tensor.F32).(model)
	var want []string
	for i := range 2 {
		for _, part := range []string{
			"0.SelfAttention.k", "0.SelfAttention.o", "0.SelfAttention.q", "0.SelfAttention.v",
			"1.DenseReluDense.wi_0", "1.DenseReluDense.wi_1", "1.DenseReluDense.wo",
		} {
			want = append(want, fmt.Sprintf("encoder.block.%d.layer.%s", i, part))
		}
	}
	if got := slices.Sorted(maps.Keys(m.Layers())); !slices.Equal(got, want) {
		t.Errorf("layers are %q, want %q", got, want)
	}
}

// T5-XXL has as many parameters as the reference's.
func TestTrueSize(t *testing.T) {
	b := dry.New()
	m, err := open([]byte(`{"d_model": 4096, "num_heads": 64, "d_ff": 10240, "num_layers": 24, "feed_forward_proj": "gated-gelu"}`),
		nil, b, tensor.BF16)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.WeightBytes() / tensor.BF16.Size(); got != 4762310656 {
		t.Errorf("%d parameters, the reference has 4762310656", got)
	}
	if rows, err := m.(model).Encode(t.Context(), make([]int32, 512)); err != nil || rows.Rows != 512 || rows.Cols != 4096 {
		t.Errorf("got %v (%v)", rows, err)
	}
}
