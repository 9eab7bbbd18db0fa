"""Writes the transformer of a diffusers folder as its authors' single file: their names, their joined matrices.

  python scripts/original_names.py DIFFUSERS.safetensors SINGLE.safetensors   # needs torch and safetensors
"""
import re
import sys

# For each kind of block: what it is called, and its modules with those of diffusers that are joined in them.
FLUX = {
    None: ("", {
        "img_in": "x_embedder", "txt_in": "context_embedder",
        "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1", "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
        "vector_in.in_layer": "time_text_embed.text_embedder.linear_1", "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
        "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1", "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
        "final_layer.adaLN_modulation.1": "norm_out.linear", "final_layer.linear": "proj_out",
    }),
    "transformer_blocks": ("double_blocks", {
        "img_mod.lin": "norm1.linear", "txt_mod.lin": "norm1_context.linear",
        "img_attn.qkv": "attn.to_q attn.to_k attn.to_v", "txt_attn.qkv": "attn.add_q_proj attn.add_k_proj attn.add_v_proj",
        "img_attn.norm.query_norm": "attn.norm_q", "img_attn.norm.key_norm": "attn.norm_k",
        "txt_attn.norm.query_norm": "attn.norm_added_q", "txt_attn.norm.key_norm": "attn.norm_added_k",
        "img_attn.proj": "attn.to_out.0", "txt_attn.proj": "attn.to_add_out",
        "img_mlp.0": "ff.net.0.proj", "img_mlp.2": "ff.net.2", "txt_mlp.0": "ff_context.net.0.proj", "txt_mlp.2": "ff_context.net.2",
    }),
    "single_transformer_blocks": ("single_blocks", {
        "modulation.lin": "norm.linear", "linear1": "attn.to_q attn.to_k attn.to_v proj_mlp", "linear2": "proj_out",
        "norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k",
    }),
}
SD3 = {
    None: ("", {
        "x_embedder.proj": "pos_embed.proj", "context_embedder": "context_embedder",
        "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1", "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
        "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1", "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
        "final_layer.adaLN_modulation.1": "norm_out.linear", "final_layer.linear": "proj_out",
    }),
    "transformer_blocks": ("joint_blocks", {
        "x_block.adaLN_modulation.1": "norm1.linear", "context_block.adaLN_modulation.1": "norm1_context.linear",
        "x_block.attn.qkv": "attn.to_q attn.to_k attn.to_v", "context_block.attn.qkv": "attn.add_q_proj attn.add_k_proj attn.add_v_proj",
        "x_block.attn.ln_q": "attn.norm_q", "x_block.attn.ln_k": "attn.norm_k",
        "context_block.attn.ln_q": "attn.norm_added_q", "context_block.attn.ln_k": "attn.norm_added_k",
        "x_block.attn.proj": "attn.to_out.0", "context_block.attn.proj": "attn.to_add_out",
        "x_block.attn2.qkv": "attn2.to_q attn2.to_k attn2.to_v", "x_block.attn2.proj": "attn2.to_out.0",
        "x_block.attn2.ln_q": "attn2.norm_q", "x_block.attn2.ln_k": "attn2.norm_k",
        "x_block.mlp.fc1": "ff.net.0.proj", "x_block.mlp.fc2": "ff.net.2",
        "context_block.mlp.fc1": "ff_context.net.0.proj", "context_block.mlp.fc2": "ff_context.net.2",
    }),
}


def original(tensors):
    """Renames and joins; every tensor is used once."""
    import torch

    table = FLUX if any(name.startswith("single_transformer_blocks.") for name in tensors) else SD3
    last = max(int(name.split(".")[1]) for name in tensors if name.startswith("transformer_blocks."))
    left, out = dict(tensors), {}
    if "pos_embed.pos_embed" in left:
        out["pos_embed"] = left.pop("pos_embed.pos_embed")
    for name in tensors:
        if name not in left:
            continue
        block, number, module, kind = re.fullmatch(r"(?:(\w*transformer_blocks)\.(\d+)\.)?(.+)\.(weight|bias)", name).groups()
        to, modules = table[block]
        joined, parts = next((to, parts.split()) for to, parts in modules.items() if module in parts.split())
        before, after = (f"{block}.{number}.", f"{to}.{number}.") if block else ("", "")
        value = torch.cat([left.pop(f"{before}{part}.{kind}") for part in parts])
        # The authors' final modulation is shift, scale; diffusers' is scale, shift. So is SD3's of the text in its last block.
        if module == "norm_out.linear" or table is SD3 and module == "norm1_context.linear" and int(number) == last:
            value = torch.cat(value.chunk(2)[::-1])
        out[f"{after}{joined}.{'scale' if joined.endswith(('query_norm', 'key_norm')) else kind}"] = value
    return out


def main(source, out):
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(source, "pt") as file:
        save_file(original({name: file.get_tensor(name) for name in file.keys()}), out)


if __name__ == "__main__":
    main(*sys.argv[1:])
