package attention_test

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"taca/internal/attention"
	"taca/internal/model"
	"taca/internal/model/flux"
	"taca/internal/model/modeltest"
	"taca/internal/model/sd3"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
	"taca/internal/trace"
)

var families = []struct {
	name string
	open modeltest.Opener
}{{"flux", modeltest.Open(flux.Open)}, {"sd3", modeltest.Open(sd3.Open)}}

// goldens are a family's models, and what the reference computed with them.
func goldens(t *testing.T, family string) []modeltest.Golden {
	t.Helper()
	return modeltest.Goldens(t, filepath.Join("../model", family, "testdata/*.safetensors"))
}

// truth is what the reference found in a run, forming every probability in
// float64: scripts/golden/attention.py.
func truth(t *testing.T, family string, golden modeltest.Golden, run modeltest.Run) attention.Step {
	t.Helper()
	var s attention.Step
	modeltest.Each(t, filepath.Join("testdata", family+"-"+golden.Name+".safetensors"), func(_ string, _ []byte, tensors []trace.Named) error {
		found := map[string]trace.Named{}
		for _, n := range tensors {
			found[n.Name] = n
		}
		share, entropy, maps := found[run.Name+"/share"], found[run.Name+"/entropy"], found[run.Name+"/maps"]
		where, err := model.ParseBlocks(run.Blocks)
		for i := range share.Rows {
			b := attention.Block{Index: i, Gamma: 1, Share: widened(share, i), Entropy: widened(entropy, i)}
			if where.Has(i) {
				b.Gamma = run.Gamma
			}
			s.Blocks = append(s.Blocks, b)
		}
		s.Maps, s.Visual, s.Text = maps.Values, maps.Rows, maps.Cols
		return err
	})
	return s
}

func widened(n trace.Named, row int) []float64 {
	var out []float64
	for _, v := range n.Values[row*n.Cols : (row+1)*n.Cols] {
		out = append(out, float64(v))
	}
	return out
}

// recorded is a run's attention as a recorder sees it.
func recorded(t *testing.T, golden modeltest.Golden, open modeltest.Opener, run modeltest.Run, b tensor.Backend, d tensor.DType) attention.Step {
	t.Helper()
	r := attention.NewRecorder(b, 64)
	defer r.Free()
	run.Watcher = r
	run.Evaluate(t, b, golden.Open(t, open, b, d))
	step, err := r.Take()
	if err != nil {
		t.Fatal(err)
	}
	return step
}

// furthest is the greatest difference of two steps, and what it is of.
func furthest(t *testing.T, got, want attention.Step) (worst float64, at string) {
	t.Helper()
	if len(got.Blocks) != len(want.Blocks) || len(got.Maps) != len(want.Maps) || got.Visual != want.Visual || got.Text != want.Text || len(want.Blocks) == 0 {
		t.Fatalf("%d blocks and maps of %d, want %d and %d", len(got.Blocks), len(got.Maps), len(want.Blocks), len(want.Maps))
	}
	differ := func(what string, got, want []float64) {
		if len(got) != len(want) {
			t.Fatalf("%s of %d heads, want %d", what, len(got), len(want))
		}
		for i, v := range got {
			if d := math.Abs(v - want[i]); !(d <= worst) {
				worst, at = d, fmt.Sprintf("%s %d: %v, want %v", what, i, v, want[i])
			}
		}
	}
	for i, b := range got.Blocks {
		w := want.Blocks[i]
		if b.Index != w.Index || b.Gamma != w.Gamma {
			t.Fatalf("block %d with gamma %v, want %d and %v", b.Index, b.Gamma, w.Index, w.Gamma)
		}
		differ(fmt.Sprintf("block %d, share of head", b.Index), b.Share, w.Share)
		differ(fmt.Sprintf("block %d, entropy of head", b.Index), b.Entropy, w.Entropy)
	}
	for i, v := range got.Maps {
		differ(fmt.Sprintf("element %d of maps, from", i), []float64{float64(v)}, []float64{float64(want.Maps[i])})
	}
	return worst, at
}

// TestRecordedIsDense: what is recorded while a golden is evaluated equals the
// reference's dense computation in float64; in BF16 it is at most twice as far from it as
// naive arithmetic.
func TestRecordedIsDense(t *testing.T) {
	const bound = 1e-4
	for _, family := range families {
		for _, golden := range goldens(t, family.name) {
			for _, run := range golden.Runs {
				want := truth(t, family.name, golden, run)
				naive, _ := furthest(t, recorded(t, golden, family.open, run, opstest.NewNaive(tensor.BF16), tensor.BF16), want)
				for _, on := range modeltest.Backends() {
					t.Run(golden.Name+"/"+run.Name+"/"+on.Name, func(t *testing.T) {
						b, err := on.Open()
						if err != nil {
							t.Fatal(err)
						}
						defer b.Close()
						worst, at := furthest(t, recorded(t, golden, family.open, run, b, tensor.F32), want)
						if !(worst <= bound) {
							t.Errorf("off by %.2e: %s", worst, at)
						}
						half, at := furthest(t, recorded(t, golden, family.open, run, b, tensor.BF16), want)
						if !(half <= 2*naive) {
							t.Errorf("BF16 is off by %.2e, naive BF16 by %.2e: %s", half, naive, at)
						}
						t.Logf("off by %.1e; BF16 %.1e, naive %.1e", worst, half, naive)
					})
				}
			}
		}
	}
}

// TestRecordingChangesNothing compares the bits of a velocity with and without,
// and sees that gamma is each block's own.
func TestRecordingChangesNothing(t *testing.T) {
	blocks := 0
	for _, family := range families {
		for _, golden := range goldens(t, family.name) {
			for _, on := range modeltest.Backends() {
				b, err := on.Open()
				if err != nil {
					t.Fatal(err)
				}
				m := golden.Open(t, family.open, b, tensor.F32)
				r := attention.NewRecorder(b, 64)
				t.Cleanup(func() { r.Free(); b.Close() })
				for _, run := range golden.Runs {
					plain := run.Evaluate(t, b, m)
					run.Watcher = r
					watched := run.Evaluate(t, b, m)
					for i, v := range plain.Values {
						if watched.Values[i] != v {
							t.Fatalf("%s, %s on %s: element %d of the velocity is %v while recording, else %v", golden.Name, run.Name, on.Name, i, watched.Values[i], v)
						}
					}
					step, err := r.Take()
					if err != nil {
						t.Fatal(err)
					}
					where, err := model.ParseBlocks(run.Blocks)
					if err != nil {
						t.Fatal(err)
					}
					for i, block := range step.Blocks {
						want := float32(1)
						if where.Has(i) {
							want = run.Gamma
						}
						if block.Index != i || block.Gamma != want {
							t.Errorf("%s, %s: block %d comes as %d, with gamma %v, want %v", golden.Name, run.Name, i, block.Index, block.Gamma, want)
						}
						blocks++
					}
					if empty, err := r.Take(); err != nil || len(empty.Blocks) != 0 || empty.Maps != nil {
						t.Errorf("%v is taken twice (%v)", empty, err)
					}
				}
			}
		}
	}
	if blocks == 0 {
		t.Error("no block was recorded")
	}
}
