package lora_test

import (
	"math"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/fuzztest"
	"taca/internal/lora"
	"taca/internal/model/nn"
	"taca/internal/tensor"
	"taca/internal/tensor/opstest"
)

// shapesOfFuzz are the shapes and formats that tensors of a fuzzed file have.
var shapesOfFuzz = []struct {
	shape []int
	kind  tensor.DType
}{
	{[]int{2, 4}, tensor.F32}, {[]int{4, 2}, tensor.F32}, {[]int{12, 2}, tensor.BF16}, {[]int{20, 2}, tensor.F16}, {[]int{8, 2}, tensor.F32},
	{nil, tensor.F32}, {[]int{1}, tensor.BF16}, {[]int{4}, tensor.F32}, {[]int{0, 4}, tensor.F32}, {[]int{4, 0}, tensor.F32},
	{[]int{2, 1, 2, 2}, tensor.F32}, {[]int{4, 2, 1, 1}, tensor.F32}, {[]int{2, 4}, tensor.F8E4M3}, {[]int{3, 5}, tensor.F32},
}

// fuzzed is a file with such names; its shapes are chosen byte by byte.
func fuzzed(names string, shapes []byte) source {
	file := source{}
	for i, name := range strings.Split(names, "\n") {
		form := shapesOfFuzz[0]
		if len(shapes) > 0 {
			form = shapesOfFuzz[int(shapes[i%len(shapes)])%len(shapesOfFuzz)]
		}
		raw := checkpoint.Raw{Shape: form.shape, Type: form.kind.String()}
		raw.Bytes = make([]byte, raw.Elements()*form.kind.Size())
		for j := range raw.Bytes {
			raw.Bytes[j] = byte(i + j*7)
		}
		file[name] = raw
	}
	return file
}

// small is a model of width 4 with a layer of every kind.
func small(t *testing.T, b tensor.Backend) []lora.Part {
	t.Helper()
	part := func(name string, kind lora.Kind, rows map[string]int) lora.Part {
		p := lora.Part{Name: name, Kind: kind, Layers: map[string]*nn.Linear{}}
		for path, n := range rows {
			w, err := b.New(n, 4, tensor.F32)
			if err != nil {
				t.Fatal(err)
			}
			p.Layers[path] = &nn.Linear{W: w}
		}
		return p
	}
	parts := []lora.Part{
		part("transformer", lora.FLUX, map[string]int{
			"transformer_blocks.0.attn.to_q": 4, "transformer_blocks.0.attn.to_k": 4, "transformer_blocks.0.attn.to_v": 4,
			"single_transformer_blocks.0.attn.to_q": 4, "single_transformer_blocks.0.attn.to_k": 4, "single_transformer_blocks.0.attn.to_v": 4,
			"single_transformer_blocks.0.proj_mlp": 8, "norm_out.linear": 8, "x_embedder": 4, "pos_embed.proj": 4,
		}),
		part("text_encoder", lora.CLIPL, map[string]int{"text_model.encoder.layers.0.self_attn.q_proj": 4, "text_projection": 4}),
		part("text_encoder_2", lora.T5, map[string]int{"encoder.block.0.layer.0.SelfAttention.q": 4}),
	}
	parts[0].Layers["pos_embed.proj"].Columns = nn.Columns{Kernel: []int{1, 2, 2}, Order: []int{3, 2, 1, 0}}
	return parts
}

// FuzzFile: whatever a file is called inside and whatever its metadata say, it
// is fitted or refused with an error. What is fitted strictly leaves nothing
// out, and all adapters have the shape of their layer and a scale.
func FuzzFile(f *testing.F) {
	f.Add("transformer.transformer_blocks.0.attn.to_q.lora_A.weight\ntransformer.transformer_blocks.0.attn.to_q.lora_B.weight",
		`{"transformer.lora_alpha":6,"transformer.alpha_pattern":{"to_q":3}}`, "", []byte{0, 1})
	f.Add("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight\nlora_unet_double_blocks_0_img_attn_qkv.lora_up.weight\nlora_unet_double_blocks_0_img_attn_qkv.alpha",
		"", "", []byte{0, 2, 5})
	f.Fuzz(func(t *testing.T, names, metadata, config string, shapes []byte) {
		b := opstest.NewReference()
		told := map[string]string{}
		if metadata != "" {
			told["lora_adapter_metadata"] = metadata
		}
		var beside []byte
		if config != "" {
			beside = []byte(config)
		}
		tensors := fuzzed(names, shapes)
		var file *lora.File
		var err error
		fuzztest.Bounded(t, 1<<16, 1<<10, len(names)+len(metadata)+len(config), func() { file, err = lora.New(tensors, told, beside) })
		if err != nil {
			return
		}
		file.Summary()
		parts := small(t, b)
		l, err := file.Fit(parts, lora.Options{Scale: 1})
		if err == nil && len(l.LeftOut()) > 0 {
			t.Fatalf("left out in silence: %v", l.LeftOut())
		}
		if l, err = file.Fit(parts, lora.Options{Scale: 1, Lenient: true}); err != nil {
			return
		}
		for _, p := range parts {
			if _, err := l.Attach(p.Name, p.Layers, b); err != nil {
				t.Fatal(err)
			}
			for path, layer := range p.Layers {
				for _, a := range layer.Adapters {
					if a.Up.Rows != layer.W.Rows || a.Down.Cols != layer.W.Cols || a.Up.Cols != a.Down.Rows || math.IsNaN(float64(a.Scale)) || math.IsInf(float64(a.Scale), 0) {
						t.Errorf("%s has an adapter of %v and %v, scale %v", path, a.Down, a.Up, a.Scale)
					}
				}
				if len(layer.Adapters) > 1 {
					t.Errorf("%s has %d adapters of one file", path, len(layer.Adapters))
				}
			}
			l.Digest(p.Name)
		}
	})
}
