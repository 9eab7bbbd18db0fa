package lora

import "strings"

// kinds tells trainers apart by what their keys hold; the first match wins.
var kinds = []struct {
	name  string
	read  bool // by this package
	match func(key string) bool
}{
	{"kohya, FLUX", false, prefix("lora_unet_double_blocks_", "lora_unet_single_blocks_")},
	{"kohya, SD3", false, prefix("lora_unet_joint_blocks_")},
	{"OneTrainer", false, prefix("lora_transformer_")},
	{"LyCORIS", false, func(k string) bool {
		return strings.HasPrefix(k, "lycoris_") || contains("hada_w1", "lokr_w1", "oft_blocks")(k)
	}},
	{"XLabs", false, contains(".processor.qkv_lora", ".processor.proj_lora")},
	{"BFL control", false, contains("norm.query_norm.scale")},
	{"PEFT on BFL names", false, prefix("base_model.model.double_blocks.", "base_model.model.single_blocks.")},
	{"ComfyUI", false, prefix("diffusion_model.")},
	{"diffusers", true, func(k string) bool { _, ok := parse(k); return ok }},
}

// Kind is the trainer whose spelling the keys of a file have; false where the
// file is no LoRA.
func Kind(keys []string) (string, bool) {
	for _, k := range kinds {
		for _, key := range keys {
			if k.match(key) {
				return k.name, true
			}
		}
	}
	return "", false
}

// unread is the kind of a file that is known but not read yet.
func unread(keys []string) (string, bool) {
	name, ok := Kind(keys)
	for _, k := range kinds {
		if k.name == name && k.read {
			return "", false
		}
	}
	return name, ok
}

func prefix(any ...string) func(string) bool {
	return func(key string) bool {
		for _, p := range any {
			if strings.HasPrefix(key, p) {
				return true
			}
		}
		return false
	}
}

func contains(any ...string) func(string) bool {
	return func(key string) bool {
		for _, p := range any {
			if strings.Contains(key, p) {
				return true
			}
		}
		return false
	}
}
