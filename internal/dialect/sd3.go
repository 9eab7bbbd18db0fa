package dialect

import "fmt"

// SD3 is the names that Stability AI gives the layers of Stable Diffusion 3
// and 3.5, with so many blocks. It has all that a block may have: the last
// takes less of its text, and which have a second attention is in the weights.
func SD3(blocks int) Table {
	t := Table{}
	sd3Outside.into(t, "", "")
	for i := range blocks {
		sd3Block.into(t, fmt.Sprintf("joint_blocks.%d.", i), fmt.Sprintf("transformer_blocks.%d.", i))
	}
	t.swap(finalModulation)
	if blocks > 0 { // the last block's text is only normalised, as the final layer does it
		t.swap(fmt.Sprintf("joint_blocks.%d.context_block.adaLN_modulation.1", blocks-1))
	}
	return t
}

// sd3Bare is the tensor that belongs to no layer.
var sd3Bare = Table{"pos_embed": {Parts: []string{"pos_embed.pos_embed"}}}

var sd3Outside = rules{
	"x_embedder.proj":    {"pos_embed.proj"},
	"t_embedder.mlp.0":   {"time_text_embed.timestep_embedder.linear_1"},
	"t_embedder.mlp.2":   {"time_text_embed.timestep_embedder.linear_2"},
	"y_embedder.mlp.0":   {"time_text_embed.text_embedder.linear_1"},
	"y_embedder.mlp.2":   {"time_text_embed.text_embedder.linear_2"},
	"context_embedder":   {"context_embedder"},
	finalModulation:      {"norm_out.linear"},
	"final_layer.linear": {"proj_out"},
}

var sd3Block = rules{
	"x_block.adaLN_modulation.1":       {"norm1.linear"},
	"context_block.adaLN_modulation.1": {"norm1_context.linear"},
	"x_block.attn.qkv":                 {"attn.to_q", "attn.to_k", "attn.to_v"},
	"context_block.attn.qkv":           {"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"},
	"x_block.attn.ln_q":                {"attn.norm_q"},
	"x_block.attn.ln_k":                {"attn.norm_k"},
	"context_block.attn.ln_q":          {"attn.norm_added_q"},
	"context_block.attn.ln_k":          {"attn.norm_added_k"},
	"x_block.attn.proj":                {"attn.to_out.0"},
	"context_block.attn.proj":          {"attn.to_add_out"},
	"x_block.attn2.qkv":                {"attn2.to_q", "attn2.to_k", "attn2.to_v"},
	"x_block.attn2.ln_q":               {"attn2.norm_q"},
	"x_block.attn2.ln_k":               {"attn2.norm_k"},
	"x_block.attn2.proj":               {"attn2.to_out.0"},
	"x_block.mlp.fc1":                  {"ff.net.0.proj"},
	"x_block.mlp.fc2":                  {"ff.net.2"},
	"context_block.mlp.fc1":            {"ff_context.net.0.proj"},
	"context_block.mlp.fc2":            {"ff_context.net.2"},
}
