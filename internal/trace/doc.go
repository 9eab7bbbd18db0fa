// Package trace records what a model computes on its way and says where two
// runs part.
//
// # Names
//
// Models tell backends, through Ops.Observe, what the reference calls a
// matrix: the path of the diffusers module that returns it. Where a module
// returns both streams at once, ".visual" or ".text" follows. A transformer's
// names are, in forward order:
//
//	x_embedder, or pos_embed for SD3     visual rows as they enter the blocks
//	time_text_embed                      the conditioning, one row
//	context_embedder                     text rows as they enter the blocks
//	transformer_blocks.0.attn.visual     attention after to_out, before its gate
//	transformer_blocks.0.attn.text       ... after to_add_out
//	transformer_blocks.0.attn2           SD3's second attention
//	transformer_blocks.0.ff              MLP of the visual rows, before its gate
//	transformer_blocks.0.ff_context      ... of the text rows
//	transformer_blocks.0.visual          what the block returns
//	transformer_blocks.0.text
//	single_transformer_blocks.0.attn     rows of both streams, text first; in the last block visual ones alone
//	single_transformer_blocks.0.act_mlp
//	single_transformer_blocks.0
//	norm_out, proj_out                   visual rows after the blocks; proj_out is the velocity
//
// A recorder puts a prefix before them, such as "step03/".
package trace
