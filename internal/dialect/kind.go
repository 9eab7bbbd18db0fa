package dialect

import "taca/internal/checkpoint"

// Kind is what a component of a file is.
type Kind string

// The kinds of components that taca paints with.
const (
	FLUXTransformer Kind = "FLUX.1 transformer"
	SD3Transformer  Kind = "Stable Diffusion 3 transformer"
	VAE             Kind = "VAE"
	CLIPL           Kind = "CLIP-L"
	CLIPG           Kind = "CLIP-G"
	CLIP            Kind = "CLIP" // of a size that neither has
	T5              Kind = "T5"
)

// form is a kind in one of its dialects: how it is recognised, and how it
// spells the canonical names.
type form struct {
	kind     Kind
	dialect  string
	prefixes []string // that its names may have
	signs    []string // tensors that it has
	spell    func(v view) spelling
}

// spelling is how a file spells canonical names.
type spelling struct {
	layers Table // by name without ".weight"
	bare   Table // whole tensors that are no layer's weight or bias
}

// Whole pipelines in one file say which encoder is which.
const (
	clipLPrefix = "text_encoders.clip_l.transformer."
	clipGPrefix = "text_encoders.clip_g.transformer."
	t5Prefix    = "text_encoders.t5xxl.transformer."
)

var (
	transformerPrefixes = []string{"", "model.diffusion_model.", "diffusion_model.", "transformer.", "model."}
	vaePrefixes         = []string{"", "vae.", "first_stage_model."}
	clipPrefixes        = []string{"", clipLPrefix, clipGPrefix, "conditioner.embedders.0.transformer.", "cond_stage_model.transformer."}
	openCLIPPrefixes    = []string{"", "conditioner.embedders.1.model.", "conditioner.embedders.0.model.", "cond_stage_model.model."}
)

// The names of dialects, as taca inspect tells them.
const (
	canonical = "diffusers"
	authors   = "original"
)

// forms are all that is read; the first that fits counts.
var forms = []form{
	{FLUXTransformer, authors, transformerPrefixes, []string{"double_blocks.0.img_attn.qkv.weight"}, func(v view) spelling {
		return spelling{layers: FLUX(v.count("double_blocks."), v.count("single_blocks."))}
	}},
	{SD3Transformer, authors, transformerPrefixes, []string{"joint_blocks.0.context_block.attn.qkv.weight"}, func(v view) spelling {
		return spelling{SD3(v.count("joint_blocks.")), sd3Bare}
	}},
	{FLUXTransformer, canonical, transformerPrefixes, []string{"single_transformer_blocks.0.attn.to_q.weight", "x_embedder.weight"}, nil},
	{SD3Transformer, canonical, transformerPrefixes, []string{"pos_embed.proj.weight", "transformer_blocks.0.attn.add_q_proj.weight"}, nil},
	{VAE, canonical, vaePrefixes, []string{"decoder.up_blocks.0.resnets.0.norm1.weight"}, nil},
	{VAE, "ldm", vaePrefixes, []string{"decoder.up.0.block.0.norm1.weight"}, func(v view) spelling {
		return spelling{layers: ldmVAE(v.count("decoder.up."), v.count("decoder.up.0.block."))}
	}},
	{CLIP, "transformers", clipPrefixes, []string{"text_model.encoder.layers.0.mlp.fc1.weight"}, nil},
	{CLIP, "transformers", clipPrefixes, []string{"encoder.layers.0.mlp.fc1.weight", "embeddings.token_embedding.weight"}, bareCLIP},
	{CLIP, "OpenCLIP", openCLIPPrefixes, []string{"transformer.resblocks.0.attn.in_proj_weight"}, func(v view) spelling {
		return spelling{openCLIP(v.count("transformer.resblocks.")), openCLIPBare}
	}},
	{T5, "transformers", []string{"", t5Prefix}, []string{"encoder.block.0.layer.0.SelfAttention.q.weight"}, nil},
	{T5, "llama.cpp", []string{"", t5Prefix}, []string{"enc.blk.0.attn_q.weight"}, func(v view) spelling {
		return spelling{layers: llamaT5(v.count("enc.blk."))}
	}},
}

// signed reports whether a file has the form's signs under a prefix.
func (f form) signed(file checkpoint.Source, prefix string) bool {
	for _, sign := range f.signs {
		if _, ok := file.Tensor(prefix + sign); !ok {
			return false
		}
	}
	return true
}

// which tells the CLIPs apart, by what a whole pipeline calls them or by the
// widths of the published ones.
func which(c Component) Kind {
	if c.Kind != CLIP {
		return c.Kind
	}
	switch c.Prefix {
	case clipLPrefix:
		return CLIPL
	case clipGPrefix:
		return CLIPG
	}
	switch (view{file: c}).rows("text_model.final_layer_norm.weight") {
	case 768:
		return CLIPL
	case 1280:
		return CLIPG
	}
	return CLIP
}
