"""Writes scales.json: how PEFT scales each module, and the metadata diffusers
would write into the file.

    python scales.py > scales.json
"""
import json
import os
import tempfile

import torch
from diffusers import FluxPipeline, FluxTransformer2DModel
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors import safe_open

QKV = ["to_q", "to_k", "to_v", "to_out.0", "proj_mlp"]
CONFIGS = {
    "plain": dict(r=4, lora_alpha=6, target_modules=QKV),
    "alpha is rank": dict(r=4, lora_alpha=4, target_modules=QKV),
    "stabilised": dict(r=4, lora_alpha=6, target_modules=QKV, use_rslora=True),
    "patterns": dict(r=4, lora_alpha=8, target_modules=QKV, rank_pattern={"to_k": 2, "transformer_blocks.1.attn.to_v": 8},
                     alpha_pattern={"to_q": 3, "to_v": 5, "single_transformer_blocks.0.attn.to_q": 99}),
    "first pattern wins": dict(r=4, lora_alpha=8, target_modules=QKV,
                               alpha_pattern={"transformer_blocks.1.attn.to_q": 1, "attn.to_q": 2, "to_q": 3,
                                              "to_k": 5, "transformer_blocks.1.attn.to_k": 7}),
    "expressions": dict(r=4, lora_alpha=8, target_modules=QKV, use_rslora=True, rank_pattern={r"single.*\.to_[qk]": 2},
                        alpha_pattern={r"^transformer_blocks\.0\.attn\.to_(q|v)": 12, "o_k": 100}),
}


def tiny():
    return FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=2, num_single_layers=1, attention_head_dim=8, num_attention_heads=1,
        joint_attention_dim=8, pooled_projection_dim=8, axes_dims_rope=(4, 2, 2))


def one(config, pipeline):
    """Saves an adapter as the pipeline or the model does, and loads it again:
    the JSON is sorted, which decides which of several patterns comes first."""
    model, again = tiny(), tiny()
    model.add_adapter(LoraConfig(**config))
    with tempfile.TemporaryDirectory() as folder:
        if pipeline:
            FluxPipeline.save_lora_weights(
                folder, transformer_lora_layers=get_peft_model_state_dict(model),
                transformer_lora_adapter_metadata=model.peft_config["default"].to_dict())
        else:
            model.save_lora_adapter(folder)
        file = os.listdir(folder)[0]
        again.load_lora_adapter(folder, weight_name=file, prefix="transformer" if pipeline else None, adapter_name="x")
        with safe_open(os.path.join(folder, file), "pt") as f:
            metadata = json.loads(f.metadata()[LORA_ADAPTER_METADATA_KEY])
    for key in [k for k in metadata if k.endswith("target_modules")]:
        metadata[key] = sorted(metadata[key])  # a set, in any order
    modules = {
        name: {"rank": m.r["x"], "in": m.in_features, "out": m.out_features, "scale": m.scaling["x"]}
        for name, m in again.named_modules() if hasattr(m, "scaling")}
    return {"metadata": json.dumps({k: v for k, v in metadata.items() if v is not None}), "modules": modules}


def main():
    torch.manual_seed(0)
    out = {}
    for name, config in CONFIGS.items():
        out[name + ", pipeline"] = one(config, True)
        out[name + ", model"] = one(config, False)
    print("{" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in out.items()) + "}")


main()
