package lora_test

import (
	"testing"

	"taca/internal/lora"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// keeping is a backend that keeps what it is given.
type keeping struct {
	tensor.Backend
	bound [][]byte
}

type keptGroup struct {
	tensor.Group
	in *keeping
}

func (b *keeping) NewGroup() tensor.Group { return keptGroup{b.Backend.NewGroup(), b} }

func (g keptGroup) Bind(raw []byte, rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	g.in.bound = append(g.in.bound, raw)
	return g.Group.Bind(raw, rows, cols, d)
}

// TestFused: of a fused module q, k, v and the MLP have one A, which is given to
// the backend once, and windows of B's rows in the file's own memory, with the
// fused module's scale.
func TestFused(t *testing.T) {
	const name = "lora_unet_single_blocks_0_linear1"
	b := &keeping{Backend: opstest.NewReference()}
	parts := small(t, b)[:1]
	a, up := matrix(2, 4), matrix(20, 2)
	f, err := lora.New(source{name + ".lora_down.weight": a, name + ".lora_up.weight": up, name + ".alpha": number(6)}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := f.Fit(parts, lora.Options{Scale: 1})
	if err == nil {
		_, err = l.Attach("transformer", parts[0].Layers, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(b.bound) != 5 || &b.bound[0][0] != &a.Bytes[0] {
		t.Fatalf("the backend was given %d matrices, want A and four windows of B", len(b.bound))
	}
	at := 0
	for _, window := range b.bound[1:] {
		if &window[0] != &up.Bytes[at] {
			t.Errorf("rows of B from byte %d on were copied", at)
		}
		at += len(window)
	}
	if at != len(up.Bytes) {
		t.Errorf("the windows are %d bytes, B is %d", at, len(up.Bytes))
	}
	first := adapterOf(t, parts[0].Layers["single_transformer_blocks.0.attn.to_q"])
	for _, path := range []string{"attn.to_k", "attn.to_v", "proj_mlp"} {
		if other := adapterOf(t, parts[0].Layers["single_transformer_blocks.0."+path]); other.Down != first.Down || other.Scale != 3 {
			t.Errorf("%s: another A, or scale %v, want 3", path, other.Scale)
		}
	}
}

func adapterOf(t *testing.T, l *nn.Linear) nn.Adapter {
	t.Helper()
	if len(l.Adapters) != 1 {
		t.Fatalf("%d adapters", len(l.Adapters))
	}
	return l.Adapters[0]
}
