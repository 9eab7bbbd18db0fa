package lora

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"taca/internal/dialect"
	"taca/internal/model/nn"
)

// Kind is which model a part of a pipeline is.
type Kind string

// The models that adapters are made for.
const (
	FLUX  Kind = "flux"
	SD3   Kind = "sd3" // and 3.5
	CLIPL Kind = "clip"
	CLIPG Kind = "clip_g"
	T5    Kind = "t5"
)

// Part is one component of a pipeline, as adapters see it.
type Part struct {
	Name   string                // its folder: "transformer", "text_encoder"
	Kind   Kind                  //
	Layers map[string]*nn.Linear // by canonical path; only shapes matter here
	Closed string                // why no adapter may hang on it, or empty
}

// place is where a module of a file belongs.
type place struct {
	part *Part
	dialect.Module
}

// prefixes are what trainers write before the names of a part's modules, with
// "_" for ".", beside the name of the part's folder.
var prefixes = map[Kind][]string{
	FLUX: transformer,
	SD3:  transformer,
	// Numbers of text encoders mean what they count: OneTrainer's second is
	// CLIP-G in SD3 and T5 in FLUX, kohya's third is T5 in both. The names of
	// their modules tell them apart.
	CLIPL: {"lora_te_", "lora_te1_", "text_encoders_clip_l_transformer_", "clip_l_"},
	CLIPG: {"lora_te2_", "text_encoders_clip_g_transformer_", "clip_g_"},
	T5:    {"lora_te2_", "lora_te3_", "text_encoders_t5xxl_transformer_", "t5_"},
}

var transformer = []string{
	"",                                           // diffusers' save_lora_adapter, BFL, XLabs
	"diffusion_model_", "model_diffusion_model_", // ComfyUI
	"lora_unet_",        // kohya
	"lora_transformer_", // OneTrainer
	"lycoris_",          // SimpleTuner's plain ones
}

// dictionary finds places by modules' names as files spell them, with "_" for
// ".": a name with underscores cannot be taken apart, but it can be looked up.
type dictionary map[string]place

// spellings is every name that any trainer gives a module of the parts.
func spellings(parts []Part) dictionary {
	all := dictionary{}
	for i := range parts {
		p := &parts[i]
		names := p.names().Underscored()
		for _, prefix := range append([]string{underscored(p.Name) + "_"}, prefixes[p.Kind]...) {
			for name, m := range names {
				all[prefix+name] = place{p, m}
			}
		}
	}
	return all
}

// find looks up a module of a file; where it has no place, the part is nil.
func (d dictionary) find(module string) place { return d[underscored(bare(module))] }

func underscored(name string) string { return strings.ReplaceAll(name, ".", "_") }

// names is the part's modules by all names without a prefix.
func (p *Part) names() dialect.Table {
	var all dialect.Table
	switch p.Kind {
	case FLUX:
		double, single := p.depth("transformer_blocks."), p.depth("single_transformer_blocks.")
		all = dialect.FLUX(double, single)
		xlabs(all, double, single)
		unfused(all)
		all["img_in.proj"] = all["img_in"] // so OneTrainer calls it
	case SD3:
		all = dialect.SD3(p.depth("transformer_blocks."))
		unfused(all)
	default:
		all = dialect.Table{}
	}
	for layer := range p.Layers {
		for _, name := range aliases(layer) {
			all[name] = dialect.Module{Parts: []string{layer}}
		}
	}
	return all
}

// depth is how many blocks have layers whose names begin so.
func (p *Part) depth(prefix string) int {
	n := 0
	for layer := range p.Layers {
		if rest, ok := strings.CutPrefix(layer, prefix); ok {
			index, _, _ := strings.Cut(rest, ".")
			if i, err := strconv.Atoi(index); err == nil {
				n = max(n, i+1)
			}
		}
	}
	return n
}

// older is how parts of canonical names were, or are, also written.
var older = []struct{ now, then string }{
	{".to_out.0", ".to_out"},
	{"text_model.", ""}, // which transformers leaves out since 5.6
	{".self_attn.q_proj", ".self_attn.to_q"},
	{".self_attn.k_proj", ".self_attn.to_k"},
	{".self_attn.v_proj", ".self_attn.to_v"},
	{".self_attn.out_proj", ".self_attn.to_out"},
}

// aliases is a canonical name and its other spellings.
func aliases(name string) []string {
	all := []string{name}
	for _, o := range older {
		for _, known := range all {
			if other := strings.Replace(known, o.now, o.then, 1); other != known {
				all = append(all, other)
			}
		}
	}
	return all
}

// unfused adds the names that OneTrainer gives the parts of fused modules: their
// number behind the module's name.
func unfused(t dialect.Table) {
	for name, m := range maps.Clone(t) {
		if len(m.Parts) == 1 {
			continue
		}
		for i, part := range m.Parts {
			t[fmt.Sprintf("%s.%d", name, i)] = dialect.Module{Parts: []string{part}}
		}
	}
}

// xlabs adds XLabs' names of modules, as they are without the endings of their
// tensors. Of single blocks' linear1 they adapt q, k and v alone.
func xlabs(t dialect.Table, double, single int) {
	for i := range double {
		theirs := fmt.Sprintf("double_blocks.%d.", i)
		for name, own := range map[string]string{"qkv_lora1": "img_attn.qkv", "qkv_lora2": "txt_attn.qkv", "proj_lora1": "img_attn.proj", "proj_lora2": "txt_attn.proj"} {
			t[theirs+"processor."+name] = t[theirs+own]
		}
	}
	for i := range single {
		theirs := fmt.Sprintf("single_blocks.%d.", i)
		t[theirs+"processor.qkv"] = dialect.Module{Parts: t[theirs+"linear1"].Parts[:3]}
		t[theirs+"processor.proj"] = t[theirs+"linear2"]
	}
}
