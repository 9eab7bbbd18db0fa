package assembly

import (
	"fmt"
	"maps"
	"math"

	"taca/internal/checkpoint"
	"taca/internal/dialect"
)

// derived is what the shapes of a component say of its config.json, and what is
// assumed of the rest where the lender's config.json, by a key, is of another
// size.
type derived struct {
	told    settings
	key     string
	assumed settings
}

// shapes reads sizes of tensors. Those of tensors that are not there are 0 and
// say nothing: what is missing is told when the component is opened.
type shapes struct{ checkpoint.Source }

// size is one of a tensor's sizes.
func (s shapes) size(name string, axis int) int {
	if raw, ok := s.Tensor(name); ok && axis < len(raw.Shape) {
		return raw.Shape[axis]
	}
	return 0
}

func (s shapes) rows(name string) int { return s.size(name+".weight", 0) }
func (s shapes) cols(name string) int { return s.size(name+".weight", 1) }
func (s shapes) has(name string) bool { return s.rows(name) > 0 }

// blocks counts the blocks, from 0 on, that have a layer; name has a %d.
func (s shapes) blocks(name string) int {
	n := 0
	for s.has(fmt.Sprintf(name, n)) {
		n++
	}
	return n
}

// derive reads the shapes of a component.
func derive(c dialect.Component) derived {
	s := shapes{c}
	read := s.clip
	switch c.Kind {
	case dialect.FLUXTransformer:
		read = s.flux
	case dialect.SD3Transformer:
		read = s.sd3
	case dialect.VAE:
		read = s.vae
	case dialect.T5:
		read = s.t5
	}
	d := read()
	maps.DeleteFunc(d.told, func(_ string, value any) bool { return value == 0 })
	return d
}

// flux takes a head's columns for the three axes in FLUX.1's proportions.
func (s shapes) flux() derived {
	head := max(s.rows("single_transformer_blocks.0.attn.norm_q"), s.rows("transformer_blocks.0.attn.norm_q"))
	d := derived{key: "attention_head_dim", told: settings{
		"in_channels":           s.cols("x_embedder"),
		"num_layers":            s.blocks("transformer_blocks.%d.attn.to_q"),
		"num_single_layers":     s.blocks("single_transformer_blocks.%d.attn.to_q"),
		"attention_head_dim":    head,
		"num_attention_heads":   s.rows("x_embedder") / max(head, 1),
		"joint_attention_dim":   s.cols("context_embedder"),
		"pooled_projection_dim": s.cols("time_text_embed.text_embedder.linear_1"),
		"guidance_embeds":       s.has("time_text_embed.guidance_embedder.linear_1"),
	}}
	d.assumed = settings{"axes_dims_rope": []int{head - head*7/8, head * 7 / 16, head * 7 / 16}}
	return d
}

// sd3 takes heads of 64 columns where no norm tells.
func (s shapes) sd3() derived {
	width, patch := s.rows("pos_embed.proj"), s.size("pos_embed.proj.weight", 2)
	dual := []int{}
	blocks := s.blocks("transformer_blocks.%d.attn.to_q")
	for i := range blocks {
		if s.has(fmt.Sprintf("transformer_blocks.%d.attn2.to_q", i)) {
			dual = append(dual, i)
		}
	}
	d := derived{key: "caption_projection_dim", told: settings{
		"patch_size":             patch,
		"in_channels":            s.cols("pos_embed.proj"),
		"out_channels":           s.rows("proj_out") / max(patch*patch, 1),
		"num_layers":             blocks,
		"joint_attention_dim":    s.cols("context_embedder"),
		"caption_projection_dim": width,
		"pooled_projection_dim":  s.cols("time_text_embed.text_embedder.linear_1"),
		"pos_embed_max_size":     int(math.Sqrt(float64(s.size("pos_embed.pos_embed", 1)))),
		"dual_attention_layers":  dual,
		"qk_norm":                nil,
	}}
	heads := func(head int) settings {
		return settings{"attention_head_dim": head, "num_attention_heads": width / max(head, 1)}
	}
	if head := s.rows("transformer_blocks.0.attn.norm_q"); head > 0 {
		d.told["qk_norm"] = "rms_norm"
		maps.Copy(d.told, heads(head))
		return d
	}
	d.assumed = heads(64)
	return d
}

// vae leaves groups, scale and shift to the lender.
func (s shapes) vae() derived {
	sizes := s.blocks("decoder.up_blocks.%d.resnets.0.conv2")
	widths, down, up := make([]int, sizes), make([]string, sizes), make([]string, sizes)
	for i := range sizes {
		widths[sizes-1-i] = s.rows(fmt.Sprintf("decoder.up_blocks.%d.resnets.0.conv2", i))
		down[i], up[i] = "DownEncoderBlock2D", "UpDecoderBlock2D"
	}
	return derived{told: settings{
		"block_out_channels":      widths,
		"down_block_types":        down,
		"up_block_types":          up,
		"layers_per_block":        s.blocks("decoder.up_blocks.0.resnets.%d.conv2") - 1,
		"latent_channels":         s.cols("decoder.conv_in"),
		"mid_block_add_attention": s.has("decoder.mid_block.attentions.0.group_norm"),
		"use_quant_conv":          s.has("quant_conv"),
		"use_post_quant_conv":     s.has("post_quant_conv"),
	}}
}

// clip takes heads of 64 columns, as all published ones have.
func (s shapes) clip() derived {
	width := s.cols("text_model.embeddings.token_embedding")
	d := derived{key: "hidden_size", told: settings{
		"hidden_size":             width,
		"intermediate_size":       s.rows("text_model.encoder.layers.0.mlp.fc1"),
		"num_hidden_layers":       s.blocks("text_model.encoder.layers.%d.mlp.fc1"),
		"max_position_embeddings": s.rows("text_model.embeddings.position_embedding"),
		"vocab_size":              s.rows("text_model.embeddings.token_embedding"),
		"projection_dim":          width,
	}, assumed: settings{"num_attention_heads": width / 64}}
	if s.has("text_projection") {
		d.told["projection_dim"] = s.rows("text_projection")
	}
	return d
}

func (s shapes) t5() derived {
	const first = "encoder.block.0.layer.0.SelfAttention."
	table := "shared"
	if !s.has(table) {
		table = "encoder.embed_tokens"
	}
	heads := s.cols(first + "relative_attention_bias")
	return derived{told: settings{
		"d_model":                        s.cols(table),
		"vocab_size":                     s.rows(table),
		"num_heads":                      heads,
		"d_kv":                           s.rows(first+"q") / max(heads, 1),
		"d_ff":                           s.rows("encoder.block.0.layer.1.DenseReluDense.wi_0"),
		"num_layers":                     s.blocks("encoder.block.%d.layer.0.SelfAttention.q"),
		"relative_attention_num_buckets": s.rows(first + "relative_attention_bias"),
	}}
}
