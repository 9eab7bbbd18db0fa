//go:build !cuda

package pipeline_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// TestAttentionIsRecorded: in every step and block of a picture, of the prompt
// alone under classifier-free guidance, with the gamma that acted; the maps of
// all text tokens add up to the share of text; and no pixel is another for it.
func TestAttentionIsRecorded(t *testing.T) {
	paint := openPainter(t)
	for name, want := range map[string]struct{ blocks, text int }{"flux": {3, 16}, "sd3": {3, 77 + 16}, "sd3-no-t5": {3, 77 + 16}} {
		folder := withTokenizers(t, filepath.Join("testdata", name, "model"))
		for _, guidance := range []float32{1, 4} {
			r := pipeline.Request{Prompt: "a red cube", Negative: "a cone", Width: 32, Height: 48, Steps: 3, MaxLength: 16, Guidance: guidance, TrueCFG: guidance,
				TACA: pipeline.TACA{Gamma: 1.5, Steps: 2, Blocks: "1"}}
			plain := paint(t, folder, r, pipeline.Config{DType: tensor.F32})
			p := paint(t, folder, r, pipeline.Config{DType: tensor.F32, Attention: true})
			if !slices.Equal(plain.Latents, p.Latents) || plain.Attention != nil {
				t.Errorf("%s: the picture is another where attention is recorded, or there is a record without", name)
			}
			if len(p.Attention) != r.Steps {
				t.Fatalf("%s: %d steps are recorded, want %d", name, len(p.Attention), r.Steps)
			}
			for i, s := range p.Attention {
				if len(s.Blocks) != want.blocks || s.Text != want.text || s.Visual*s.Text != len(s.Maps) || s.Visual == 0 {
					t.Fatalf("%s, step %d: %d blocks, %d text and %d visual tokens; want %+v", name, i, len(s.Blocks), s.Text, s.Visual, want)
				}
				shares := 0.0
				for k, b := range s.Blocks {
					gamma := float32(1)
					if i < 2 && k == 1 {
						gamma = 1.5
					}
					if b.Index != k || b.Gamma != gamma {
						t.Errorf("%s, step %d: block %d is %d, with gamma %v, want %v", name, i, k, b.Index, b.Gamma, gamma)
					}
					for h := range b.Share {
						if !(b.Share[h] > 0 && b.Share[h] < 1) || !(b.Entropy[h] > 0 && b.Entropy[h] <= math.Log(float64(s.Text+s.Visual))+1e-5) {
							t.Errorf("%s, step %d, block %d, head %d: share %v, entropy %v", name, i, k, h, b.Share[h], b.Entropy[h])
						}
						shares += b.Share[h] / float64(len(b.Share)*len(s.Blocks))
					}
				}
				sum := 0.0
				for _, v := range s.Maps {
					sum += float64(v) / float64(s.Visual)
				}
				if math.Abs(sum-shares) > 1e-5 {
					t.Errorf("%s, step %d: maps add up to %v, shares to %v", name, i, sum, shares)
				}
			}
		}
	}
}
