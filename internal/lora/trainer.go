package lora

import (
	"slices"
	"strings"
)

// trainers are told apart by what their names hold; the first match wins.
var trainers = []struct {
	name  string
	match func(key string) bool
}{
	{control, contains("norm.query_norm.scale")},
	{"kohya, FLUX", prefix("lora_unet_double_blocks_", "lora_unet_single_blocks_")},
	{"kohya, SD3", prefix("lora_unet_joint_blocks_")},
	{"OneTrainer", prefix("lora_transformer_", "transformer.double_blocks.", "transformer.single_blocks.", "transformer.joint_blocks.", "clip_l.", "clip_g.", "t5.")},
	{"LyCORIS", func(k string) bool {
		return strings.HasPrefix(k, "lycoris_") || contains(".hada_w", ".lokr_w", ".oft_", ".glora")(k)
	}},
	{"kohya", prefix("lora_unet_", "lora_te")},
	{"XLabs", contains(".processor.qkv_lora", ".processor.proj_lora")},
	{"PEFT on the original names", prefix(wrapper+"double_blocks.", wrapper+"single_blocks.", wrapper+"joint_blocks.")},
	{"ComfyUI", prefix("diffusion_model.", "text_encoders.")},
	{"original names", prefix("double_blocks.", "single_blocks.", "joint_blocks.")},
	{"PEFT", prefix(wrapper)},
	{"diffusers", func(k string) bool { _, ok := parse(k); return ok }},
}

// control is the one kind that is no update of layers alone.
const control = "BFL control"

// Trainer is whose spelling the names in a file have; false where the file is
// no adapter.
func Trainer(names []string) (string, bool) {
	if !adapts(names) {
		return "", false
	}
	for _, t := range trainers {
		if slices.ContainsFunc(names, t.match) {
			return t.name, true
		}
	}
	return "", false
}

// adapts reports whether a file's names speak of an adapter at all: the
// original names are those of whole models, too.
func adapts(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		k, ok := parse(name)
		return ok && k.role != alpha
	})
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
