package dialect_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
	"taca/internal/fuzztest"
)

// only is a file of such tensors, each 4 × 4.
func only(names ...string) *edited {
	e := edit(nowhere{}, same)
	for _, n := range names {
		e.add(n, 4, 4)
	}
	return e
}

type nowhere struct{}

func (nowhere) Tensor(string) (checkpoint.Raw, bool) { return checkpoint.Raw{}, false }
func (nowhere) Names() []string                      { return nil }
func (nowhere) String() string                       { return "x.safetensors" }

// TestRefusals: look-alikes are named, and so is every tensor that is nobody's.
func TestRefusals(t *testing.T) {
	flux, sd3, ae, openclip, llama, whole := open(t, "flux-dev"), open(t, "sd3-medium"), open(t, "ae"), open(t, "openclip"), open(t, "t5-llama"), open(t, "flux-whole")
	without := func(gone string) func(string) string {
		return func(n string) string {
			if strings.HasPrefix(n, gone) {
				return ""
			}
			return n
		}
	}
	for _, c := range []struct {
		name string
		file *edited
		want string
	}{
		{"empty", only(), "holds no model that taca knows"},
		{"something else", only("weights", "more"), "holds no model that taca knows: its tensors are weights, more"},
		{"Chroma", edit(flux, same).add("distilled_guidance_layer.in_proj.weight", 16, 16), "is a Chroma transformer"},
		{"FLUX.2", edit(flux, same).add("double_stream_modulation_img.lin.weight", 16, 16), "is a FLUX.2 transformer"},
		{"FLUX.2, 2", only("model.diffusion_model.single_stream_modulation.lin.weight"), "is a FLUX.2 transformer"},
		{"HunyuanVideo", only("double_blocks.0.img_attn_qkv.weight"), "is a HunyuanVideo transformer"},
		{"HunyuanVideo, 2", edit(flux, same).add("txt_in.individual_token_refiner.blocks.0.norm1.weight", 16), "is a HunyuanVideo transformer"},
		{"Qwen-Image", only("transformer_blocks.0.attn.add_q_proj.weight", "txt_norm.weight"), "is a Qwen-Image transformer"},
		{"Wan", only("model.diffusion_model.blocks.0.self_attn.q.weight"), "is a Wan transformer"},
		{"SDXL", only("model.diffusion_model.input_blocks.0.0.weight", "conditioner.embedders.1.model.text_projection"), "is a U-Net of Stable Diffusion 1, 2 or XL"},
		{"ControlNet", edit(flux, same).add("controlnet_blocks.0.weight", 16, 16), "is a ControlNet"},
		{"Redux", only("redux_up.weight"), "is FLUX.1 Redux"},
		{"LoRA, kohya", only("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight"), "is a LoRA, no model: give it with --lora"},
		{"LoRA, PEFT", only("transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight"), "is a LoRA"},
		{"LoRA, XLabs", only("double_blocks.0.processor.qkv_lora1.down.weight"), "is a LoRA"},
		{"4 bits", edit(flux, same).add("double_blocks.0.img_attn.qkv.weight.quant_state.bitsandbytes__nf4", 8), "packed by bitsandbytes"},
		{"Fill", edit(flux, same).add("img_in.weight", 16, 384), "is FLUX.1 Fill [dev], whose transformer reads a picture and a mask: taca does not paint with it"},
		{"Canny", edit(flux, same).add("img_in.weight", 16, 128), "is FLUX.1 Canny or Depth [dev]"},
		{"another width", edit(flux, same).add("img_in.weight", 16, 96), "reads 96 channels and writes 64"},
		{"SD1's VAE", edit(ae, same).add("decoder.conv_in.weight", 8, 4, 3, 3), "is the VAE of Stable Diffusion 1, 2 or XL, with 4 latent channels"},
		{"FLUX.2's VAE", edit(ae, same).add("decoder.conv_in.weight", 8, 32, 3, 3), "is the VAE of FLUX.2"},
		{"ViT-H", edit(openclip, same).add("ln_final.weight", 1024), "is the CLIP ViT-H of Stable Diffusion 2"},
		{"T5 1.0", only("encoder.block.0.layer.0.SelfAttention.q.weight", "encoder.block.0.layer.1.DenseReluDense.wi.weight"), "is a T5 of version 1.0"},
		{"UMT5", edit(llama, same).add("enc.blk.1.attn_rel_b.weight", 32, 3), "is a UMT5"},

		{"strangers", edit(flux, same).add("a.weight", 1).add("double_blocks.0.img_attn.qkv.weird", 1).add("img_in.shift", 1), "holds a FLUX.1 transformer, and 3 tensors that belong to none: a.weight, double_blocks.0.img_attn.qkv.weird, img_in.shift"},
		{"a gap", edit(flux, func(n string) string { return strings.Replace(n, "double_blocks.1.", "double_blocks.2.", 1) }), "tensors that belong to none: double_blocks.2."},
		{"strangers beside parts", edit(whole, same).add("text_encoders.llama.x", 1), "holds a FLUX.1 transformer, VAE, CLIP-L, T5, and 1 tensors that belong to none: text_encoders.llama.x"},
		{"twice", edit(flux, same).add("double_blocks.0.img_attn.norm.query_norm.weight", 8), "1 tensors that belong to none: double_blocks.0.img_attn.norm.query_norm.weight"},
		{"two transformers", both(edit(flux, same), edit(flux, func(n string) string { return "transformer." + n })), `holds a FLUX.1 transformer twice, under "" and under "transformer."`},
		{"too few rows", edit(flux, same).add("single_blocks.0.linear1.weight", 40, 16), "1 tensors are not what their names say: single_blocks.0.linear1.weight: a tensor of shape [40 16] does not hold"},
		{"a weight is missing", edit(flux, without("double_blocks.1.txt_attn.qkv.weight")), "not what their names say: double_blocks.1.txt_attn.qkv.bias"},
		{"odd halves", edit(sd3, same).add("diffusion_model.final_layer.adaLN_modulation.1.bias", 31), "not what their names say: diffusion_model.final_layer.adaLN_modulation.1.bias: a tensor of shape [31] has no two halves"},
		{"no matrix", edit(openclip, same).add("text_projection", 16), "not what their names say: text_projection: a tensor of shape [16] is no matrix"},
	} {
		parts, err := dialect.Read(c.file)
		var e *checkpoint.Error
		if !errors.As(err, &e) || parts != nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), ".safetensors: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
}

// both is the tensors of two files in one.
func both(a, b *edited) *edited {
	a.names = append(a.names, b.names...)
	maps.Copy(a.raws, b.raws)
	return a
}

// TestPackedRows: formats of several numbers a byte are cut by rows, and not
// transposed.
func TestPackedRows(t *testing.T) {
	clip := edit(open(t, "openclip"), same)
	raw := clip.raws["text_projection"]
	raw.Type, raw.Bytes = "Q8_0", raw.Bytes[:len(raw.Bytes)/2+16]
	clip.raws["text_projection"] = raw
	if _, err := dialect.Read(clip); err == nil || !strings.Contains(err.Error(), "a matrix of Q8_0, which packs numbers together, cannot be transposed") {
		t.Errorf("error %v", err)
	}
}

// FuzzRead: whatever a file's tensors are called and however they are shaped, it
// is refused as a *checkpoint.Error, or its components are windows or copies as
// large as their shapes say. Names are separated by spaces.
func FuzzRead(f *testing.F) {
	f.Add("double_blocks.0.img_attn.qkv.weight double_blocks.0.img_attn.qkv.bias single_blocks.0.linear1.weight final_layer.adaLN_modulation.1.weight", 12, 4)
	f.Add("model.diffusion_model.joint_blocks.0.context_block.attn.qkv.weight model.diffusion_model.pos_embed", 6, 2)
	f.Add("vae.decoder.up.0.block.0.norm1.weight vae.decoder.up.1.block.0.norm1.weight vae.decoder.mid.attn_1.q.weight", 4, 1)
	f.Add("transformer.resblocks.0.attn.in_proj_weight transformer.resblocks.0.attn.in_proj_bias text_projection positional_embedding", 9, 3)
	f.Add("enc.blk.0.attn_q.weight enc.blk.99999999999999999999.attn_q.weight token_embd.weight", 1, 1)
	f.Add("encoder.layers.0.mlp.fc1.weight embeddings.token_embedding.weight text_projection.weight", 0, 5)
	f.Fuzz(func(t *testing.T, names string, rows, cols int) {
		if rows < 0 || cols < 0 || rows > 64 || cols > 64 {
			return
		}
		e := edit(nowhere{}, same)
		for _, n := range strings.Fields(names) {
			e.add(n, rows, cols)
		}
		var parts []dialect.Component
		var err error
		// Of each matrix there is a copy where another program transposes it or swaps its halves.
		fuzztest.Bounded(t, 1<<20, 4<<10, len(names)+4*rows*cols, func() { parts, err = dialect.Read(e) })
		var refused *checkpoint.Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("error %v of another kind", err)
		}
		for _, c := range parts {
			for _, n := range c.Names() {
				if raw, ok := c.Tensor(n); !ok || len(raw.Bytes) != 2*raw.Elements() {
					t.Fatalf("%s of %v has %d bytes", n, raw.Shape, len(raw.Bytes))
				}
			}
		}
		all, err := dialect.Layout(parts)
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("error %v of another kind", err)
		}
		for _, j := range all {
			bytes := 0
			for _, p := range j.Parts {
				bytes += len(p.Bytes)
			}
			if want := 2 * (checkpoint.Raw{Shape: j.Shape}).Elements(); err == nil && bytes != want {
				t.Fatalf("%s of %v is written with %d bytes", j.Name, j.Shape, bytes)
			}
		}
	})
}

// TestEncoders: the text encoders of a whole pipeline that nobody paints with are
// read as if they were alone; of other files Encoders is Read.
func TestEncoders(t *testing.T) {
	clip := open(t, "openclip")
	plain, err := dialect.Read(clip)
	if err != nil {
		t.Fatal(err)
	}
	const prefix = "conditioner.embedders.1.model."
	sdxl := edit(clip, func(n string) string { return prefix + n }).add("model.diffusion_model.input_blocks.0.0.weight", 4, 4).
		add("first_stage_model.decoder.conv_in.weight", 8, 4, 3, 3).add("denoiser.sigmas", 1000)
	if _, err := dialect.Read(sdxl); err == nil || !strings.Contains(err.Error(), "is a U-Net of Stable Diffusion 1, 2 or XL") {
		t.Errorf("as a model: error %v", err)
	}
	got, err := dialect.Encoders(sdxl)
	if err != nil || len(got) != 1 || got[0].Prefix != prefix || !slices.Equal(got[0].Names(), plain[0].Names()) {
		t.Fatalf("%v (%v)", got, err)
	}
	for _, name := range plain[0].Names() {
		a, _ := got[0].Tensor(name)
		b, _ := plain[0].Tensor(name)
		if !slices.Equal(a.Shape, b.Shape) || !bytes.Equal(a.Bytes, b.Bytes) {
			t.Errorf("%s is another", name)
		}
	}
	if got, err := dialect.Encoders(clip); err != nil || len(got) != 1 || got[0].Dialect != "OpenCLIP" {
		t.Errorf("a file of its own: %v (%v)", got, err)
	}
}
