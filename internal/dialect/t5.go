package dialect

import "fmt"

// llamaT5 is llama.cpp's names of a T5 encoder with so many blocks.
func llamaT5(blocks int) Table {
	t := Table{}
	rules{"token_embd": {"shared"}, "enc.output_norm": {"encoder.final_layer_norm"}}.into(t, "", "")
	for i := range blocks {
		llamaT5Block.into(t, fmt.Sprintf("enc.blk.%d.", i), fmt.Sprintf("encoder.block.%d.layer.", i))
	}
	return t
}

var llamaT5Block = rules{
	"attn_norm":  {"0.layer_norm"},
	"attn_q":     {"0.SelfAttention.q"},
	"attn_k":     {"0.SelfAttention.k"},
	"attn_v":     {"0.SelfAttention.v"},
	"attn_o":     {"0.SelfAttention.o"},
	"attn_rel_b": {"0.SelfAttention.relative_attention_bias"},
	"ffn_norm":   {"1.layer_norm"},
	"ffn_gate":   {"1.DenseReluDense.wi_0"},
	"ffn_up":     {"1.DenseReluDense.wi_1"},
	"ffn_down":   {"1.DenseReluDense.wo"},
}
