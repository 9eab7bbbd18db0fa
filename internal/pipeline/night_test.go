package pipeline_test

import (
	"context"
	"path/filepath"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/cpu"
	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// ledger is a backend that keeps account of memory.
type ledger struct {
	tensor.Backend
	reserved, short int // bytes of scratch reserved; most that were taken beyond
	state, groups   int // that live
}

func (l *ledger) Reserve(bytes int) error {
	l.reserved = max(l.reserved, bytes)
	return l.Backend.Reserve(bytes)
}

func (l *ledger) Scratch(rows, cols int, d tensor.DType) tensor.Tensor {
	t := l.Backend.Scratch(rows, cols, d)
	l.short = max(l.short, int(l.Mark())-l.reserved)
	return t
}

func (l *ledger) New(rows, cols int, d tensor.DType) (tensor.Tensor, error) {
	l.state++
	return l.Backend.New(rows, cols, d)
}

func (l *ledger) Free(t tensor.Tensor) {
	l.state--
	l.Backend.Free(t)
}

func (l *ledger) NewGroup() tensor.Group {
	l.groups++
	return counted{l.Backend.NewGroup(), l}
}

type counted struct {
	tensor.Group
	in *ledger
}

func (c counted) Drop() {
	c.in.groups--
	c.Group.Drop()
}

// TestNight paints pictures of different sizes, lengths, steps and guidance,
// with and without a cache, forth and back, with one pipeline: the dry run finds all the scratch they take,
// and the second round keeps nothing that the first did not.
func TestNight(t *testing.T) {
	for _, name := range []string{"flux", "schnell", "sd3", "sd3-no-t5"} {
		for _, d := range []tensor.DType{tensor.F32, tensor.BF16} {
			b, p := openLedger(t, name, d)
			var kept [2][2]int
			for round := range kept {
				for i, size := range []int{48, 16, 96, 32} {
					r := pipeline.Request{Prompt: "a cube", Negative: "a cone", Width: size, Height: 16 * (i + 1), Steps: 1 + 9*(i/2), MaxLength: 8 * (4 - i),
						Guidance: float32(2 * (i % 2)), TrueCFG: float32(2 * (i % 2)), TACA: pipeline.TACA{Gamma: 1.2, Steps: 1}, Cache: float32(1 - i%2 + round)}
					paintWith(t, p, r)
				}
				kept[round] = [2]int{b.state, b.groups}
			}
			if b.short > 0 || b.reserved == 0 {
				t.Errorf("%s in %v: scratch is %d bytes short of what was reserved, %d", name, d, b.short, b.reserved)
			}
			if kept[0] != kept[1] {
				t.Errorf("%s in %v: state and groups that live grew from %v to %v", name, d, kept[0], kept[1])
			}
			if err := p.Close(); err != nil || b.state != 0 {
				t.Errorf("%s in %v: %d pieces of state live on after Close (%v)", name, d, b.state, err)
			}
		}
	}
}

// openLedger opens a test model with its LoRA, which follows gamma.
func openLedger(t *testing.T, name string, d tensor.DType) (*ledger, *pipeline.Pipeline) {
	t.Helper()
	device, err := cpu.Open(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = device.Close() })
	b := &ledger{Backend: device}
	files, err := checkpoint.OpenFolder(withTokenizers(t, filepath.Join("testdata", name, "model")))
	if err != nil {
		t.Fatal(err)
	}
	m, err := pipeline.Read(files)
	if err != nil {
		t.Fatal(err)
	}
	loras := []pipeline.LoRA{{Path: filepath.Join("testdata", name, "lora.safetensors"), Scale: 1, TACA: true}}
	p, err := pipeline.Open(context.Background(), m, b, pipeline.Config{DType: d, LoRAs: loras}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return b, p
}

func paintWith(t *testing.T, p *pipeline.Pipeline, r pipeline.Request) {
	t.Helper()
	texts, err := p.Read(context.Background(), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Paint(context.Background(), r, texts, nil); err != nil {
		t.Fatal(err)
	}
}
