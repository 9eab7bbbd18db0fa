"""Whole pipelines with the head sizes of the published models, and what diffusers paints with them.

    python heads.py

Writes internal/pipeline/testdata/{flux-64,flux-128,sd35-medium,sd35-large}: the configs of a diffusers folder
without tokenizers (the tests use the embedded model's), and golden.safetensors with the final latents and pixels of
every case. Weights and LoRA are formulas (common.drawn), so golden.safetensors only plans them, and holds digests of
what diffusers saved. Attention has several tiles of rows, and neither text nor visual rows fill their last.
"""

import dataclasses
import hashlib
import json
import math
import pathlib
import shutil
import sys
import tempfile

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from diffusers.utils import logging
from safetensors import safe_open
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

import common
import encoders_common
import pipelines

HEAD = 64  # of the text encoders, as CLIP-L, CLIP-G and T5-XXL have
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "proj_mlp", "ff.net.2", "norm1.linear"]
ADDED = ("to_out.0.weight", "to_add_out.weight", "ff.net.2.weight", "ff_context.net.2.weight")


def filled(model: torch.nn.Module, state: dict) -> tuple[torch.nn.Module, list[dict]]:
    """A model with the weights of a plan for the given tensors of it."""
    plans = encoders_common.plan(state)
    encoders_common.fill(state, plans)
    return model.eval(), plans


def clip(kind, width: int, act: str, eos: int = 935):
    model = kind(
        CLIPTextConfig(
            vocab_size=936, hidden_size=width, intermediate_size=2 * width, projection_dim=width, num_hidden_layers=2, hidden_act=act,
            num_attention_heads=width // HEAD, max_position_embeddings=77, bos_token_id=934, eos_token_id=eos, pad_token_id=935,
        )
    )  # fmt: skip
    return filled(model, model.state_dict())


def t5(width: int):
    model = T5EncoderModel(T5Config(vocab_size=320, d_model=width, d_kv=HEAD, num_heads=1, d_ff=64, num_layers=2, feed_forward_proj="gated-gelu"))
    return filled(model, {name: t for name, t in model.state_dict().items() if name != "encoder.embed_tokens.weight"})


def vae(scale: float, shift: float):
    model = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 2, up_block_types=["UpDecoderBlock2D"] * 2, block_out_channels=(16, 32), layers_per_block=1,
        latent_channels=16, norm_num_groups=4, scaling_factor=scale, shift_factor=shift, use_quant_conv=False, use_post_quant_conv=False,
    )  # fmt: skip
    return filled(model, {name: t for name, t in model.state_dict().items() if name.startswith("decoder.")})


def denoiser(model: torch.nn.Module):
    """A transformer whose blocks add so much that gamma 1.2 moves latents further than bf16 does."""
    plans = common.plan(model)
    for p in plans:
        if p["name"].endswith(ADDED) or p["name"].startswith("single") and p["name"].endswith("proj_out.weight"):
            p["scale"] *= 4
    common.fill(model, plans)
    return model.eval(), plans


def tokenizers() -> tuple:
    return CLIPTokenizer.from_pretrained(pipelines.TOKENIZERS / "tokenizer"), T5TokenizerFast.from_pretrained(pipelines.TOKENIZERS / "tokenizer_2")


def flux(head: int, heads: int):
    """The pipeline, and the plan of each part. Two steps of this schedule have timesteps that bf16 holds."""
    parts = dict(
        vae=vae(0.3611, 0.1159),
        text_encoder=clip(CLIPTextModel, 64, "quick_gelu", eos=2),
        text_encoder_2=t5(64),
        transformer=denoiser(FluxTransformer2DModel(
            in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=head, num_attention_heads=heads, joint_attention_dim=64,
            pooled_projection_dim=64, guidance_embeds=True, axes_dims_rope=(head // 8, head * 7 // 16, head * 7 // 16),
        )),
    )  # fmt: skip
    words, pieces = tokenizers()
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=1.0)
    models = {name: model for name, (model, _) in parts.items()}
    return FluxPipeline(scheduler=scheduler, tokenizer=words, tokenizer_2=pieces, **models), {name: plans for name, (_, plans) in parts.items()}


def sd35(dual: tuple[int, ...]):
    """The pipeline, and the plan of each part. T5 is wider than both CLIPs together."""
    parts = dict(
        vae=vae(1.5305, 0.0609),
        text_encoder=clip(CLIPTextModelWithProjection, 64, "quick_gelu"),
        text_encoder_2=clip(CLIPTextModelWithProjection, 128, "gelu"),
        text_encoder_3=t5(208),
        transformer=denoiser(SD3Transformer2DModel(
            sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=2, attention_head_dim=HEAD, num_attention_heads=2,
            joint_attention_dim=208, caption_projection_dim=128, pooled_projection_dim=192, pos_embed_max_size=12, dual_attention_layers=dual,
            qk_norm="rms_norm",
        )),
    )  # fmt: skip
    words, pieces = tokenizers()
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0)
    models = {name: model for name, (model, _) in parts.items()}
    pipe = StableDiffusion3Pipeline(scheduler=scheduler, tokenizer=words, tokenizer_2=words, tokenizer_3=pieces, **models)
    return pipe, {name: plans for name, (_, plans) in parts.items()}


def cases(**config) -> list[dict]:
    plain = dict(name="plain", seed=42, gamma=1.0, gamma_steps=0, lora=0.0, **config)
    gamma = dict(plain, name="gamma", seed=7, gamma=1.2, gamma_steps=1)
    return [plain, gamma, dict(gamma, name="gamma_lora", lora=0.7)]


def planned_adapter(pipe, path: pathlib.Path) -> list[dict]:
    """Save a LoRA by formula: its plan."""
    plans = []

    @torch.no_grad()
    def change(layers: dict) -> None:
        for name, t in sorted(layers.items()):
            scale = 2.0 ** round(math.log2(math.sqrt(3 / t.shape[1]))) / (4 if "lora_B" in name else 1)
            plans.append(dict(name="transformer." + name, shape=list(t.shape), scale=scale, centre=0.0))
        encoders_common.fill({"transformer." + name: t for name, t in layers.items()}, plans)

    pipelines.adapter(pipe, TARGETS, path, change)
    return plans


def told(path: pathlib.Path, file: str, plans: list[dict]) -> dict:
    """What the golden says of one file of weights: its plan, a digest of the values diffusers saved, a LoRA's scales."""
    with safe_open(path / file, "pt") as saved:
        needed = [name for name in saved.keys() if not (file.startswith("vae/") and name.startswith("encoder."))]
        assert sorted(needed) == sorted(p["name"] for p in plans), file
        digest = hashlib.sha256()
        for p in plans:
            t = saved.get_tensor(p["name"])
            assert list(t.shape) == p["shape"] and torch.equal(t.float(), t.bfloat16().float()), p["name"]
            digest.update(t.bfloat16().contiguous().view(torch.int16).numpy().tobytes())
        adapter = json.loads(saved.metadata().get("lora_adapter_metadata", "{}"))
    scales = {key: value for key, value in adapter.items() if key in ("transformer.r", "transformer.lora_alpha")}
    metadata = dict(lora_adapter_metadata=json.dumps(scales)) if scales else {}
    return dict(file=file, metadata=metadata, sha256=digest.hexdigest(), weights=plans)


def make(name: str, pipe, plans: dict[str, list[dict]], picture: pipelines.Picture, todo: list[dict]) -> None:
    folder = pipelines.OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as temporary:
        saved = pathlib.Path(temporary)
        pipe.to(torch.bfloat16).save_pretrained(saved)
        files = [told(saved, file.relative_to(saved).as_posix(), plans[file.parent.name]) for file in sorted(saved.glob("*/*.safetensors"))]
        assert len(files) == len(plans)
        lora = saved / "lora.safetensors"
        files.append(told(saved, lora.name, planned_adapter(pipe.to(torch.float32), lora)))
        tensors = pipelines.painted(pipe, todo, picture, lora)
        configs = [file for file in saved.rglob("*.json") if not file.parent.name.startswith("tokenizer")]
        for file in configs:
            target = folder / "model" / file.relative_to(saved)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
            target.chmod(0o644)
    for case in (c["name"] for c in todo):
        reference, low = tensors[case + ".latents"], tensors[case + ".bf16.latents"]
        tensors[case + ".bf16.latents"] = low.bfloat16()
        assert torch.equal(low.bfloat16().float(), low)
        pixels = tensors[case + ".pixels"]
        clipped = ((pixels == 0) | (pixels == 255)).float().mean().item()
        size, naive = reference.pow(2).mean().sqrt().item(), encoders_common.error(low, reference)
        print(f"{name} {case}: rms {size:.2f}, naive bf16 error {naive:.2e}, {clipped:.0%} of pixels clipped")
    common.save(folder / "golden.safetensors", tensors, prompt=pipelines.PROMPT, **dataclasses.asdict(picture), cases=todo, files=files)


def main() -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    picture = pipelines.Picture(width=36, height=32, steps=2, text=45)
    make("flux-64", *flux(64, 2), picture, cases(guidance=4.0))
    make("flux-128", *flux(128, 1), dataclasses.replace(picture, text=77), cases(guidance=4.0))
    guided = cases(guidance=4.5, negative=pipelines.NEGATIVE)
    picture = dataclasses.replace(picture, steps=3, text=20)  # the last of which is from a sigma of almost 0
    make("sd35-medium", *sd35((0,)), picture, guided)
    make("sd35-large", *sd35(()), picture, guided)


if __name__ == "__main__":
    sys.exit(main())
