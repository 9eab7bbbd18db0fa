package pipeline_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"taca/internal/pipeline"
	"taca/internal/tensor"
)

// TestSharedTexts: prompts that are read together, with guidance and without,
// give the very pictures that each gives alone on a pipeline of its own; and of
// the LoRAs those act that are named.
func TestSharedTexts(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"flux", "sd3"} {
		lora := pipeline.LoRA{Path: filepath.Join("testdata", name, "lora.safetensors"), Scale: 1, TACA: true}
		var requests []pipeline.Request
		for i, prompt := range []string{"a cube", "a cone", "a cube"} {
			requests = append(requests, pipeline.Request{Prompt: prompt, Negative: "a cone", Width: 32, Height: 32, Steps: 2, MaxLength: 16, Seed: int64(i / 2),
				Guidance: float32(1 + 3*(i%2)), TrueCFG: float32(3 * (i % 2)), TACA: pipeline.TACA{Gamma: 1.5, Steps: 1}})
		}
		_, together := openLedger(t, name, tensor.F32)
		texts, err := together.ReadAll(ctx, requests, nil)
		if err != nil {
			t.Fatal(err)
		}
		paint := func(p *pipeline.Pipeline, r pipeline.Request, text pipeline.Texts) []float32 {
			picture, err := p.Paint(ctx, r, text, nil)
			if err != nil {
				t.Fatal(err)
			}
			return picture.Latents
		}
		seen := map[string][]float32{}
		for i, r := range requests {
			for _, adapters := range [][]pipeline.LoRA{nil, {lora}} {
				_, alone := openLedger(t, name, tensor.F32)
				text, err := alone.Read(ctx, r, nil)
				if err != nil {
					t.Fatal(err)
				}
				together.Follow(adapters)
				alone.Follow(adapters)
				got := paint(together, r, texts[i])
				if !slices.Equal(got, paint(alone, r, text)) {
					t.Errorf("%s, request %d, %d adapters: the picture is another where prompts are read together", name, i, len(adapters))
				}
				key := fmt.Sprint(i, len(adapters))
				for other, latents := range seen {
					if slices.Equal(got, latents) {
						t.Errorf("%s: pictures %s and %s are the same", name, key, other)
					}
				}
				seen[key] = got
				if err := alone.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
		// What was read for guidance serves without, and not the other way round.
		plain := requests[1]
		plain.Guidance, plain.TrueCFG = 1, 0
		paint(together, plain, texts[1])
		if _, err := together.Paint(ctx, requests[1], texts[0], nil); err == nil {
			t.Errorf("%s: a picture with guidance was painted without a negative prompt", name)
		}
		if err := together.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
