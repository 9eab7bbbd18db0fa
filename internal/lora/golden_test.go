package lora_test

import (
	"encoding/json"
	"math"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/lora"
	"taca/internal/model/clip"
	"taca/internal/model/encodertest"
	"taca/internal/model/flux"
	"taca/internal/model/modeltest"
	"taca/internal/model/nn"
	"taca/internal/model/sd3"
	"taca/internal/model/t5"
	"taca/internal/tensor"
	"taca/internal/trace"
)

// spelled is a LoRA in some trainer's spelling, of scripts/golden/lora.py.
type spelled struct {
	Name     string
	Adapter  modeltest.Weights // its tensors
	Metadata map[string]string
	PEFT     json.RawMessage // the adapter_config.json beside it, or null
}

// spellings reads all LoRAs of a golden.
func spellings(t *testing.T, path string) map[string]spelled {
	t.Helper()
	all := map[string]spelled{}
	modeltest.Each(t, path, func(_ string, told []byte, _ []trace.Named) error {
		var golden struct{ Runs []spelled }
		err := json.Unmarshal(told, &golden)
		for _, s := range golden.Runs {
			all[s.Name] = s
		}
		return err
	})
	if len(all) == 0 {
		t.Fatalf("%s has no LoRA", path)
	}
	return all
}

// hang fits s to a part, of which all must be used, and attaches it.
func (s spelled) hang(t *testing.T, part lora.Part, b tensor.Backend) *lora.LoRA {
	t.Helper()
	var config []byte
	if string(s.PEFT) != "null" {
		config = s.PEFT
	}
	f, err := lora.New(s.Adapter, s.Metadata, config)
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.Fit([]lora.Part{part}, lora.Options{Scale: 1})
	if err != nil {
		t.Fatal(err)
	}
	if left := l.LeftOut(); len(left) > 0 {
		t.Fatalf("left out: %v", left)
	}
	if _, err := l.Attach(part.Name, part.Layers, b); err != nil {
		t.Fatal(err)
	}
	return l
}

// tolerance is the relative error allowed; rounding alone gives about a tenth.
const tolerance = 1e-4

func apart(got, want []float32) float64 {
	var d, size float64
	for i, w := range want {
		d += math.Pow(float64(got[i])-float64(w), 2)
		size += math.Pow(float64(w), 2)
	}
	return math.Sqrt(d / size)
}

// TestTransformers: in every spelling the velocity is that of W + scale·B·A in
// diffusers, and with the gate closed that of W to the bit.
func TestTransformers(t *testing.T) {
	for _, family := range []struct {
		kind lora.Kind
		open modeltest.Opener
	}{{lora.FLUX, modeltest.Open(flux.Open)}, {lora.SD3, modeltest.Open(sd3.Open)}} {
		path := "testdata/" + string(family.kind) + ".safetensors"
		golden, adapters := modeltest.Goldens(t, path)[0], spellings(t, path)
		b := openCPU(t)
		plain := func() []float32 {
			m := golden.Open(t, family.open, b, tensor.F32)
			defer m.Drop()
			return golden.Runs[0].Evaluate(t, b, m).Values
		}()
		for _, run := range golden.Runs {
			t.Run(string(family.kind)+"/"+run.Name, func(t *testing.T) {
				m := golden.Open(t, family.open, b, tensor.F32)
				defer m.Drop()
				l := adapters[run.Name].hang(t, lora.Part{Name: "transformer", Kind: family.kind, Layers: m.Layers()}, b)
				e := apart(run.Evaluate(t, b, m).Values, run.Want().Values)
				if !(e <= tolerance) {
					t.Errorf("relative error %.1e, want at most %.0e", e, tolerance)
				}
				t.Logf("%d layers, relative error %.1e", l.Layers()["transformer"], e)
				l.Set(false)
				if e := apart(run.Evaluate(t, b, m).Values, plain); e != 0 {
					t.Errorf("a closed gate changes the velocity by %.1e", e)
				}
			})
		}
	}
}

// encoder is a text encoder of either kind.
type encoder interface {
	Layers() map[string]*nn.Linear
	Drop()
	encode(t *testing.T, ids []int32) map[string]tensor.Tensor
}

type clipEncoder struct{ *clip.Encoder }

func (c clipEncoder) encode(t *testing.T, ids []int32) map[string]tensor.Tensor {
	t.Helper()
	out, err := c.Encode(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tensor.Tensor{"penultimate": out.Penultimate, "last": out.Last, "pooled": out.Pooled, "projected": out.Projected}
}

type t5Encoder struct{ *t5.Encoder }

func (e t5Encoder) encode(t *testing.T, ids []int32) map[string]tensor.Tensor {
	t.Helper()
	rows, err := e.Encode(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]tensor.Tensor{"rows": rows}
}

func openCLIP(config []byte, source checkpoint.Source, b tensor.Backend) (encoder, error) {
	var c clip.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	m, err := clip.Open(c, source, b, tensor.F32)
	return clipEncoder{m}, err
}

func openT5(config []byte, source checkpoint.Source, b tensor.Backend) (encoder, error) {
	var c t5.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	m, err := t5.Open(c, source, b, tensor.F32)
	return t5Encoder{m}, err
}

// TestEncoders: in every spelling what an encoder says is what W + scale·B·A
// says in transformers.
func TestEncoders(t *testing.T) {
	for _, c := range []struct {
		kind lora.Kind
		name string // its folder in a pipeline
		open func([]byte, checkpoint.Source, tensor.Backend) (encoder, error)
	}{{lora.CLIPL, "text_encoder", openCLIP}, {lora.CLIPG, "text_encoder_2", openCLIP}, {lora.T5, "text_encoder_2", openT5}} {
		path := "testdata/" + string(c.kind) + ".safetensors"
		golden, adapters := encodertest.Goldens(t, path)[0], spellings(t, path)
		for _, run := range golden.Runs {
			t.Run(string(c.kind)+"/"+run.Name, func(t *testing.T) {
				b := openCPU(t)
				m, err := c.open(golden.Config, golden.Weights, b)
				if err != nil {
					t.Fatal(err)
				}
				defer m.Drop()
				l := adapters[run.Name].hang(t, lora.Part{Name: c.name, Kind: c.kind, Layers: m.Layers()}, b)
				said := m.encode(t, run.IDs)
				if len(run.Output) == 0 {
					t.Fatal("the golden says nothing")
				}
				for name, want := range run.Output {
					got := make([]float32, len(want.Values))
					b.Download(got, said[name])
					if e := apart(got, want.Values); !(e <= tolerance) {
						t.Errorf("%s: relative error %.1e, want at most %.0e", name, e, tolerance)
					} else {
						t.Logf("%d layers, %s: relative error %.1e", l.Layers()[c.name], name, e)
					}
				}
			})
		}
	}
}

func openCPU(t *testing.T) tensor.Backend {
	t.Helper()
	b, err := modeltest.Fast()[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	if err := b.Reserve(8 << 20); err != nil {
		t.Fatal(err)
	}
	return b
}
