"""Files in other programs' names, and the canonical tensors that diffusers' converters make of them.

    python dialects.py

Writes internal/dialect/testdata/*.safetensors: tiny random models in their authors' names (original_names.py for
transformers, the tables below for the rest, gguf's own for T5), each read back by diffusers' converter before it is
written. Their metadata hold what must be found: kinds, dialects, prefixes, and of every canonical tensor its shape
and the SHA-256 of its bytes.

Writes internal/assembly/testdata/published.json.gz, too: names and shapes of the published models' single files, from
the configurations in configs/ by way of diffusers' and transformers' classes.
"""

import gzip
import hashlib
import inspect
import json
import re
import sys

import gguf
import torch
import yaml
from diffusers import AutoencoderKL, FluxTransformer2DModel, SD3Transformer2DModel
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModelWithProjection, T5Config, T5EncoderModel

import common

sys.path.insert(0, str(common.REPOSITORY / "scripts"))
import original_names  # noqa: E402

OUT = common.REPOSITORY / "internal/dialect/testdata"


def drawn(model: torch.nn.Module, seed: int) -> dict:
    """The tensors of a model, bf16, no two rows alike."""
    g = torch.Generator().manual_seed(seed)
    out = {name: torch.randn(t.shape, generator=g).bfloat16() for name, t in model.state_dict().items() if t.is_floating_point()}
    if "shared.weight" in out:  # which has two names
        out["encoder.embed_tokens.weight"] = out["shared.weight"].clone()
    return out


def flux(heads: int, double: int, single: int, guidance: bool) -> torch.nn.Module:
    return FluxTransformer2DModel(
        in_channels=64, num_layers=double, num_single_layers=single, attention_head_dim=8, num_attention_heads=heads, joint_attention_dim=24,
        pooled_projection_dim=20, guidance_embeds=guidance, axes_dims_rope=(2, 4, 2),
    )


def sd3(heads: int, blocks: int, dual: tuple, norm: str | None) -> torch.nn.Module:
    return SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=16, out_channels=16, num_layers=blocks, attention_head_dim=8, num_attention_heads=heads,
        joint_attention_dim=40, caption_projection_dim=8 * heads, pooled_projection_dim=36, pos_embed_max_size=6, dual_attention_layers=dual,
        qk_norm=norm,
    )


def vae() -> torch.nn.Module:
    """Four sizes, of which two pairs are as wide: no shape tells them apart."""
    blocks = ["DownEncoderBlock2D"] * 4, ["UpDecoderBlock2D"] * 4
    return AutoencoderKL(
        down_block_types=blocks[0], up_block_types=blocks[1], block_out_channels=(4, 4, 8, 8), layers_per_block=2, latent_channels=16,
        norm_num_groups=2, use_quant_conv=False, use_post_quant_conv=False,
    )


def clip(width: int, layers: int = 2) -> torch.nn.Module:
    return CLIPTextModelWithProjection(
        CLIPTextConfig(vocab_size=40, hidden_size=width, intermediate_size=2 * width, projection_dim=width, num_hidden_layers=layers,
                       num_attention_heads=2, max_position_embeddings=9)
    )


def t5(width: int) -> torch.nn.Module:
    return T5EncoderModel(T5Config(vocab_size=40, d_model=width, d_kv=4, num_heads=3, d_ff=16, num_layers=2, feed_forward_proj="gated-gelu"))


# Names that are not the canonical ones, as the authors' code has them; in this order.
LDM = [
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."), (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.group_norm\.", ".mid.attn_1.norm."), (r"\.mid_block\.attentions\.0\.to_out\.0\.", ".mid.attn_1.proj_out."),
    (r"\.mid_block\.attentions\.0\.to_(.)\.", r".mid.attn_1.\1."), (r"conv_norm_out\.", "norm_out."), (r"conv_shortcut\.", "nin_shortcut."),
    (r"encoder\.down_blocks\.(\d)\.resnets\.", r"encoder.down.\1.block."), (r"encoder\.down_blocks\.(\d)\.downsamplers\.0\.", r"encoder.down.\1.downsample."),
    (r"decoder\.up_blocks\.(\d)\.resnets\.", lambda m: f"decoder.up.{3 - int(m[1])}.block."),
    (r"decoder\.up_blocks\.(\d)\.upsamplers\.0\.", lambda m: f"decoder.up.{3 - int(m[1])}.upsample."),
]
OPENCLIP = [
    (r"^text_model\.embeddings\.token_embedding\.", "token_embedding."), (r"^text_model\.embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"^text_model\.final_layer_norm\.", "ln_final."), (r"^text_projection\.weight", "text_projection"),
    (r"^text_model\.encoder\.layers\.(\d+)\.", r"transformer.resblocks.\1."), (r"\.layer_norm(\d)\.", r".ln_\1."), (r"\.self_attn\.out_proj\.", ".attn.out_proj."),
    (r"\.self_attn\.([qkv])_proj\.", r".attn.\1."), (r"\.mlp\.fc1\.", ".mlp.c_fc."), (r"\.mlp\.fc2\.", ".mlp.c_proj."),
]


def respelt(tensors: dict, table: list) -> dict:
    out = {}
    for name, value in tensors.items():
        for pattern, to in table:
            name = re.sub(pattern, to, name)
        out[name] = value
    return out


def ldm(tensors: dict) -> dict:
    """The attention's matrices are 1×1 convolutions."""
    return {name: t[:, :, None, None] if ".attn_1." in name and t.dim() == 2 else t for name, t in respelt(tensors, LDM).items()}


def openclip(tensors: dict) -> dict:
    """The projection is multiplied from the right; q, k and v are one matrix."""
    out = respelt(tensors, OPENCLIP)
    out["text_projection"] = out["text_projection"].T.contiguous()
    for name in [name for name in out if ".attn.q." in name]:
        parts = [out.pop(name.replace(".attn.q.", f".attn.{part}.")) for part in "qkv"]
        out[name.replace(".attn.q.", ".attn.in_proj_")] = torch.cat(parts)
    return out


def llama(tensors: dict) -> dict:
    """The gguf package's own table."""
    table = gguf.get_tensor_name_map(gguf.MODEL_ARCH.T5ENCODER, 2)
    return {table.get_name(name, try_suffixes=(".weight",)): t for name, t in tensors.items() if name != "encoder.embed_tokens.weight"}


def flux_reader(width: int):
    """diffusers' converter, which knows FLUX.1's width alone, at another one."""
    source = inspect.getsource(single_file_utils.convert_flux_transformer_checkpoint_to_diffusers)
    assert source.count("inner_dim = 3072") == 1
    scope = dict(vars(single_file_utils))
    exec(source.replace("inner_dim = 3072", f"inner_dim = {width}"), scope)
    return scope["convert_flux_transformer_checkpoint_to_diffusers"]


def openclip_reader(tensors: dict) -> dict:
    model = clip(next(iter(tensors.values())).shape[1])
    return single_file_utils.convert_open_clip_checkpoint(model, dict(tensors), prefix="")


def component(kind: str, dialect: str, canonical: dict, theirs: dict, read=None, prefix: str = "") -> dict:
    """One part of a file, which diffusers reads as canonical."""
    if read is not None:
        got = read({name: t.clone() for name, t in theirs.items()})
        assert got.keys() == canonical.keys(), (kind, got.keys() ^ canonical.keys())
        for name, t in canonical.items():
            assert torch.equal(got[name], t), (kind, name)
    return {"kind": kind, "dialect": dialect, "prefix": prefix, "canonical": canonical, "theirs": theirs}


def write(name: str, *components: dict, **more) -> None:
    tensors, golden = dict(more), []
    for c in components:
        tensors |= {c["prefix"] + name: t.contiguous() for name, t in c["theirs"].items()}
        found = {name: [list(t.shape), hashlib.sha256(t.contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()] for name, t in c["canonical"].items()}
        golden.append({key: c[key] for key in ("kind", "dialect", "prefix")} | {"tensors": found})
    path = OUT / f"{name}.safetensors"
    save_file(tensors, path, metadata={"golden": json.dumps({"versions": common.versions(), "parts": golden})})
    print(f"{path.relative_to(common.REPOSITORY)}: {path.stat().st_size} bytes, {len(tensors)} tensors")


def flux_part(seed: int, guidance: bool, prefix: str = "") -> dict:
    canonical = drawn(flux(2, 2, 2, guidance), seed)
    return component("FLUX.1 transformer", "original", canonical, original_names.original(canonical), flux_reader(16), prefix)


def sd3_part(seed: int, blocks: int, dual: tuple, norm: str | None, prefix: str = "") -> dict:
    canonical = drawn(sd3(2, blocks, dual, norm), seed)
    read = single_file_utils.convert_sd3_transformer_checkpoint_to_diffusers
    return component("Stable Diffusion 3 transformer", "original", canonical, original_names.original(canonical), read, prefix)


def vae_part(seed: int, prefix: str = "") -> dict:
    model = vae()
    canonical = drawn(model, seed)
    return component("VAE", "ldm", canonical, ldm(canonical), lambda t: single_file_utils.convert_ldm_vae_checkpoint(t, model.config), prefix)


def plain_part(kind: str, model: torch.nn.Module, seed: int, prefix: str = "") -> dict:
    """Names of transformers', as ComfyUI keeps them."""
    canonical = drawn(model, seed)
    return component(kind, "transformers", canonical, canonical, None, prefix)


def published() -> None:
    """Shapes alone."""
    def config(preset: str, part: str) -> dict:
        return yaml.safe_load((common.REPOSITORY / f"configs/{preset}.yaml").read_text())["parts"][part + "/config.json"]

    def encoder(kind, of, part: str) -> dict:
        return kind(of(**{key: value for key, value in config("sd35-large", part).items() if key != "architectures"})).state_dict()

    inside, files = "model.diffusion_model.", {}
    with torch.device("meta"):
        ae = ldm(AutoencoderKL.from_config(config("flux-dev", "vae")).state_dict())
        for name in "flux-dev", "flux-schnell":
            files[name] = original_names.original(FluxTransformer2DModel.from_config(config(name, "transformer")).state_dict())
        for name in "sd35-medium", "sd35-large":
            model = SD3Transformer2DModel.from_config(config(name, "transformer"))
            files[name] = {inside + k: t for k, t in original_names.original(model.state_dict()).items()} | {"first_stage_model." + k: t for k, t in ae.items()}
        files["ae"] = ae
        files["clip_l"] = encoder(CLIPTextModelWithProjection, CLIPTextConfig, "text_encoder")
        files["clip_g"] = openclip(encoder(CLIPTextModelWithProjection, CLIPTextConfig, "text_encoder_2"))
        files["t5xxl"] = encoder(T5EncoderModel, T5Config, "text_encoder_3")
    shapes = {file: {name: list(t.shape) for name, t in tensors.items()} for file, tensors in files.items()}
    path = common.REPOSITORY / "internal/assembly/testdata/published.json.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(json.dumps(shapes, separators=(",", ":")).encode(), mtime=0))
    print(f"{path.relative_to(common.REPOSITORY)}: {path.stat().st_size} bytes")


def main() -> None:
    published()
    OUT.mkdir(exist_ok=True)
    inside, text = "model.diffusion_model.", "text_encoders.{}.transformer."
    number = lambda: torch.tensor(1.0)  # noqa: E731
    write("flux-dev", flux_part(1, True))
    write("sd3-medium", sd3_part(2, 2, (), None, "diffusion_model."))
    write("ae", vae_part(3))
    projected = drawn(clip(16), 4)
    write("openclip", component("CLIP", "OpenCLIP", projected, openclip(projected), openclip_reader), logit_scale=number(), attn_mask=torch.zeros(9, 9))
    encoder = drawn(t5(12), 5)
    shared = {name: t for name, t in encoder.items() if name != "encoder.embed_tokens.weight"}
    write("t5-llama", component("T5", "llama.cpp", shared, llama(encoder)))
    write(
        "flux-whole", flux_part(6, False, inside), vae_part(7, "vae."), plain_part("CLIP-L", clip(20), 8, text.format("clip_l")),
        plain_part("T5", t5(24), 9, text.format("t5xxl")), **{"text_encoders.clip_l.logit_scale": number(), "text_encoders.t5xxl.logit_scale": number()},
    )
    write(
        "sd35-whole", sd3_part(10, 3, (0, 1), "rms_norm", inside), vae_part(11, "first_stage_model."), plain_part("CLIP-L", clip(16), 12, text.format("clip_l")),
        plain_part("CLIP-G", clip(20), 13, text.format("clip_g")), plain_part("T5", t5(40), 14, text.format("t5xxl")),
        **{"text_encoders.clip_g.logit_scale": number()},
    )


if __name__ == "__main__":
    main()
