package dialect

import (
	"fmt"
	"strings"

	"taca/internal/checkpoint"
)

// lookalikes are models that are easily taken for one that taca paints with,
// some with tensors of the same names, each with what its names begin with
// after a transformer's prefix.
var lookalikes = []struct {
	name  string
	signs []string
}{
	{"a Chroma transformer", []string{"distilled_guidance_layer."}},
	{"a FLUX.2 transformer", []string{"double_stream_modulation_img.", "single_stream_modulation."}},
	{"a HunyuanVideo transformer", []string{"txt_in.individual_token_refiner.", "double_blocks.0.img_attn_qkv.", "context_embedder.token_refiner."}},
	{"a HiDream transformer", []string{"double_stream_blocks."}},
	{"a Qwen-Image transformer", []string{"txt_norm."}},
	{"a Wan transformer", []string{"blocks.0.self_attn.", "blocks.0.cross_attn.", "condition_embedder."}},
	{"a Lumina or Z-Image transformer", []string{"noise_refiner.", "context_refiner."}},
	{"an AuraFlow transformer", []string{"double_layers.", "joint_transformer_blocks."}},
	{"a PixArt, LTX or Sana transformer", []string{"adaln_single.", "adaln_single_", "patchify_proj.", "caption_norm."}},
	{"a U-Net of Stable Diffusion 1, 2 or XL", []string{"input_blocks.", "down_blocks.0.attentions.", "down_blocks.1.attentions."}},
	{"a ControlNet", []string{"controlnet_blocks.", "controlnet_x_embedder.", "input_hint_block.", "control_model."}},
	{"an IP-Adapter", []string{"ip_adapter", "double_blocks.0.processor.ip_adapter", "image_proj."}},
	{"FLUX.1 Redux", []string{"redux_up."}},
}

// packings are formats of weights that only one library reads, each with what
// its names hold.
var packings = []struct{ name, sign string }{
	{"bitsandbytes", ".quant_state.bitsandbytes"},
	{"bitsandbytes", ".weight.absmax"},
	{"Nunchaku", ".qweight"},
	{"Nunchaku", ".wscales"},
	{"Quanto", "._data"},
}

// adapters are parts of the names of adapters' tensors.
var adapters = []string{".lora_", "lora_unet_", "lora_te", "lora_transformer_", ".lora.down.", ".lora.up.", "_lora.down.", "_lora.up.",
	".processor.qkv_lora", ".processor.proj_lora", ".hada_w", ".lokr_w", "lycoris_", ".oft_blocks"}

// lookalike names what a file is where that is not what taca reads; nil where
// it may be.
func lookalike(file checkpoint.Source) error {
	for _, name := range file.Names() {
		problem, hint := foreign(name)
		if problem != "" {
			return &checkpoint.Error{Path: file.String(), Problem: problem, Hint: hint}
		}
	}
	return nil
}

// foreign says what has a tensor of that name, and what to do; empty where
// taca may paint with it.
func foreign(name string) (problem, hint string) {
	for _, part := range adapters {
		if strings.Contains(name, part) {
			return "is a LoRA, no model", "give it with --lora"
		}
	}
	for _, p := range packings {
		if strings.Contains(name, p.sign) {
			return "holds weights packed by " + p.name + ", which taca does not read", "get the model in bf16 or fp8"
		}
	}
	for _, prefix := range transformerPrefixes {
		bare, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		for _, l := range lookalikes {
			for _, sign := range l.signs {
				if strings.HasPrefix(bare, sign) {
					return "is " + l.name + ", which taca does not paint with", "it paints with FLUX.1 dev and schnell, Stable Diffusion 3 and 3.5"
				}
			}
		}
	}
	return "", ""
}

// variant names a component of a right kind that taca does not paint with; nil
// where it is one that it does.
func variant(c Component) *checkpoint.Error {
	v := view{file: c.Source, names: c.Names()}
	problem := ""
	switch c.Kind {
	case FLUXTransformer:
		problem = fluxVariant(v.columns("x_embedder.weight"), v.rows("proj_out.weight"))
	case VAE:
		switch v.columns("decoder.conv_in.weight") {
		case 4:
			problem = "is the VAE of Stable Diffusion 1, 2 or XL, with 4 latent channels"
		case 32:
			problem = "is the VAE of FLUX.2, with 32 latent channels"
		}
	case CLIP:
		if v.rows("text_model.final_layer_norm.weight") == 1024 {
			problem = "is the CLIP ViT-H of Stable Diffusion 2"
		}
	case T5:
		switch {
		case v.rows("encoder.block.0.layer.1.DenseReluDense.wi.weight") > 0:
			problem = "is a T5 of version 1.0, where FLUX.1 and Stable Diffusion 3 have version 1.1"
		case v.rows("encoder.block.1.layer.0.SelfAttention.relative_attention_bias.weight") > 0:
			problem = "is a UMT5, with position biases in every block"
		}
	}
	if problem == "" {
		return nil
	}
	return &checkpoint.Error{Problem: problem, Hint: "taca does not paint with it"}
}

// fluxVariant names the members of FLUX.1 that read more than latents; empty
// where it reads just these.
func fluxVariant(in, out int) string {
	switch {
	case in == out || in == 0 || out == 0: // what is missing is told when it is opened
		return ""
	case in == 2*out:
		return "is FLUX.1 Canny or Depth [dev], whose transformer reads a second picture"
	case in == 6*out:
		return "is FLUX.1 Fill [dev], whose transformer reads a picture and a mask"
	}
	return fmt.Sprintf("is a FLUX.1 transformer that reads %d channels and writes %d", in, out)
}
