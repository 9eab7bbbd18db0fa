package dialect

import "fmt"

// FLUX is the names that Black Forest Labs gives the layers of FLUX.1, with so
// many double and single blocks.
func FLUX(double, single int) Table {
	t := Table{}
	fluxOutside.into(t, "", "")
	for i := range double {
		fluxDouble.into(t, fmt.Sprintf("double_blocks.%d.", i), fmt.Sprintf("transformer_blocks.%d.", i))
	}
	for i := range single {
		fluxSingle.into(t, fmt.Sprintf("single_blocks.%d.", i), fmt.Sprintf("single_transformer_blocks.%d.", i))
	}
	t.swap(finalModulation)
	return t
}

// finalModulation is the last layer that sees the timestep; in both families
// it is shift, scale in the authors' files and scale, shift in diffusers'.
const finalModulation = "final_layer.adaLN_modulation.1"

var fluxOutside = rules{
	"img_in":                {"x_embedder"},
	"txt_in":                {"context_embedder"},
	"time_in.in_layer":      {"time_text_embed.timestep_embedder.linear_1"},
	"time_in.out_layer":     {"time_text_embed.timestep_embedder.linear_2"},
	"vector_in.in_layer":    {"time_text_embed.text_embedder.linear_1"},
	"vector_in.out_layer":   {"time_text_embed.text_embedder.linear_2"},
	"guidance_in.in_layer":  {"time_text_embed.guidance_embedder.linear_1"},
	"guidance_in.out_layer": {"time_text_embed.guidance_embedder.linear_2"},
	finalModulation:         {"norm_out.linear"},
	"final_layer.linear":    {"proj_out"},
}

var fluxDouble = rules{
	"img_mod.lin":              {"norm1.linear"},
	"txt_mod.lin":              {"norm1_context.linear"},
	"img_attn.qkv":             {"attn.to_q", "attn.to_k", "attn.to_v"},
	"txt_attn.qkv":             {"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"},
	"img_attn.norm.query_norm": {"attn.norm_q"},
	"img_attn.norm.key_norm":   {"attn.norm_k"},
	"txt_attn.norm.query_norm": {"attn.norm_added_q"},
	"txt_attn.norm.key_norm":   {"attn.norm_added_k"},
	"img_attn.proj":            {"attn.to_out.0"},
	"txt_attn.proj":            {"attn.to_add_out"},
	"img_mlp.0":                {"ff.net.0.proj"},
	"img_mlp.2":                {"ff.net.2"},
	"txt_mlp.0":                {"ff_context.net.0.proj"},
	"txt_mlp.2":                {"ff_context.net.2"},
}

var fluxSingle = rules{
	"modulation.lin":  {"norm.linear"},
	"linear1":         {"attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"},
	"linear2":         {"proj_out"},
	"norm.query_norm": {"attn.norm_q"},
	"norm.key_norm":   {"attn.norm_k"},
}
