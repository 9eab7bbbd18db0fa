package lora

import (
	"slices"
	"strings"
)

// diffusers is the kind that parse understands.
const diffusers = "diffusers"

// kinds tells trainers apart by what their keys hold; the first match wins.
var kinds = []struct {
	name  string
	match func(key string) bool
}{
	{"kohya, FLUX", prefix("lora_unet_double_blocks_", "lora_unet_single_blocks_")},
	{"kohya, SD3", prefix("lora_unet_joint_blocks_")},
	{"kohya", prefix("lora_unet_", "lora_te")},
	{"OneTrainer", prefix("lora_transformer_")},
	{"LyCORIS", func(k string) bool {
		return strings.HasPrefix(k, "lycoris_") || contains(".hada_w", ".lokr_w", ".oft_blocks", ".glora")(k)
	}},
	{"XLabs", contains(".processor.qkv_lora", ".processor.proj_lora")},
	{"BFL control", contains("norm.query_norm.scale")},
	{"PEFT on the original names", prefix("base_model.model.double_blocks.", "base_model.model.single_blocks.", "base_model.model.joint_blocks.")},
	{"ComfyUI", prefix("diffusion_model.", "text_encoders.")},
	{"original names", prefix("double_blocks.", "single_blocks.", "joint_blocks.")},
	{diffusers, func(k string) bool { _, ok := parse(k); return ok }},
}

// Kind is the trainer whose spelling the keys of a file have; false where the
// file is no LoRA.
func Kind(keys []string) (string, bool) {
	if !adapts(keys) {
		return "", false
	}
	for _, k := range kinds {
		for _, key := range keys {
			if k.match(key) {
				return k.name, true
			}
		}
	}
	return "", false
}

// adapts reports whether a file's names speak of an adapter at all: the
// original names are those of whole models, too.
func adapts(keys []string) bool {
	return slices.ContainsFunc(keys, contains("lora", "hada_w", "lokr_w", "oft_blocks"))
}

func prefix(any ...string) func(string) bool {
	return func(key string) bool {
		return slices.ContainsFunc(any, func(p string) bool { return strings.HasPrefix(key, p) })
	}
}

func contains(any ...string) func(string) bool {
	return func(key string) bool {
		return slices.ContainsFunc(any, func(p string) bool { return strings.Contains(key, p) })
	}
}
