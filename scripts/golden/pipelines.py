"""Whole pipelines of tiny random models: folders, and what diffusers paints with them.

    python pipelines.py

Writes internal/pipeline/testdata/{flux,schnell,sd3,sd3-no-t5}: a diffusers folder without tokenizers
(the tests use the embedded model's), a LoRA, and golden.safetensors with the final latents and pixels
of every case: plain, gamma in some steps, gamma in all, a LoRA at 0.7, classifier-free guidance.
"""

import dataclasses
import json
import shutil
import sys

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
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

TOKENIZERS = common.REPOSITORY / "internal/demo/model"
OUT = common.REPOSITORY / "internal/pipeline/testdata"
PROMPT, NEGATIVE = "a red metal sphere to the left of a blue cube", "a green cone"


@dataclasses.dataclass(frozen=True)
class Picture:
    """What all cases of a model have in common: pixels, steps, and tokens of T5."""

    width: int
    height: int
    steps: int
    text: int


SMALL = Picture(width=96, height=64, steps=4, text=24)


def rounded(model: torch.nn.Module) -> torch.nn.Module:
    """Weights as bf16 can hold them, in f32."""
    with torch.no_grad():
        for p in list(model.parameters()) + list(model.buffers()):
            if p.is_floating_point():
                p.copy_(p.bfloat16().float())
    return model.eval()


def clip(width: int, act: str, kind, eos: int = 935):
    return rounded(
        kind(
            CLIPTextConfig(
                vocab_size=936, hidden_size=width, intermediate_size=2 * width, projection_dim=width, num_hidden_layers=3,
                num_attention_heads=2, max_position_embeddings=77, hidden_act=act, bos_token_id=934, eos_token_id=eos, pad_token_id=935,
                initializer_factor=4.0,
            )
        )
    )


def t5(width: int) -> T5EncoderModel:
    config = T5Config(vocab_size=320, d_model=width, d_kv=16, num_heads=2, d_ff=64, num_layers=2, feed_forward_proj="gated-gelu")
    return rounded(T5EncoderModel(config))


def vae(scale: float, shift: float) -> AutoencoderKL:
    blocks = ["DownEncoderBlock2D"] * 4, ["UpDecoderBlock2D"] * 4
    model = AutoencoderKL(
        down_block_types=blocks[0], up_block_types=blocks[1], block_out_channels=(8, 8, 16, 16), layers_per_block=1, latent_channels=16,
        norm_num_groups=4, scaling_factor=scale, shift_factor=shift, use_quant_conv=False, use_post_quant_conv=False,
    )
    return rounded(model)


def denoiser(model: torch.nn.Module) -> torch.nn.Module:
    common.fill(model, common.plan(model))
    return model.eval()


def flux(guidance: bool, head: int, single: int, shift: dict):
    transformer = FluxTransformer2DModel(
        in_channels=64, num_layers=1, num_single_layers=single, attention_head_dim=head, num_attention_heads=1, joint_attention_dim=40,
        pooled_projection_dim=32, guidance_embeds=guidance, axes_dims_rope=(head // 8, head * 7 // 16, head * 7 // 16),
    )
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, **shift), vae=vae(0.3611, 0.1159),
        text_encoder=clip(32, "quick_gelu", CLIPTextModel, eos=2), tokenizer=CLIPTokenizer.from_pretrained(TOKENIZERS / "tokenizer"),
        text_encoder_2=t5(40), tokenizer_2=T5TokenizerFast.from_pretrained(TOKENIZERS / "tokenizer_2"), transformer=denoiser(transformer),
    )


def sd3(dual: tuple, with_t5: bool):
    transformer = SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=16, out_channels=16, num_layers=3, attention_head_dim=32, num_attention_heads=1,
        joint_attention_dim=80, caption_projection_dim=32, pooled_projection_dim=72, pos_embed_max_size=12, dual_attention_layers=dual,
        qk_norm="rms_norm",
    )
    clips = CLIPTokenizer.from_pretrained(TOKENIZERS / "tokenizer")
    return StableDiffusion3Pipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=3.0), vae=vae(1.5305, 0.0609),
        text_encoder=clip(32, "quick_gelu", CLIPTextModelWithProjection), tokenizer=clips,
        text_encoder_2=clip(40, "gelu", CLIPTextModelWithProjection), tokenizer_2=clips,
        text_encoder_3=t5(80) if with_t5 else None,
        tokenizer_3=T5TokenizerFast.from_pretrained(TOKENIZERS / "tokenizer_2") if with_t5 else None, transformer=denoiser(transformer),
    )


class Schedule:
    """Sets gamma before every step: the first n steps have it, the others 1."""

    def __init__(self, pipe, gamma: float, n: int, text: int):
        self.pipe, self.gamma, self.n = pipe, gamma, n
        text += 0 if isinstance(pipe, FluxPipeline) else 77
        common.temper(pipe.transformer, gamma if n > 0 else 1.0, text)

    def __call__(self, pipe, step, timestep, kwargs):
        for name, module in pipe.transformer.named_modules():
            if name.endswith(".attn"):
                module.processor.gamma = self.gamma if step + 1 < self.n else 1.0
        return {}


def unpacked(pipe, latents: torch.Tensor, p: Picture) -> torch.Tensor:
    if isinstance(pipe, FluxPipeline):
        return pipe._unpack_latents(latents, p.height, p.width, pipe.vae_scale_factor)
    return latents


@torch.no_grad()
def paint(pipe, case: dict, p: Picture) -> tuple[torch.Tensor, torch.Tensor]:
    """Final latents [1, 16, h, w] and pixels [h, w, 3] of one case."""
    asked = dict(prompt=PROMPT, width=p.width, height=p.height, num_inference_steps=p.steps, max_sequence_length=p.text,
                 guidance_scale=case["guidance"], generator=torch.Generator("cpu").manual_seed(case["seed"]),
                 callback_on_step_end=Schedule(pipe, case["gamma"], case["gamma_steps"], p.text), output_type="latent")
    if case.get("true_cfg"):
        asked["true_cfg_scale"] = case["true_cfg"]
    if case.get("negative"):
        asked["negative_prompt"] = case["negative"]
    z = unpacked(pipe, pipe(**asked).images, p)
    pixels = pipe.vae.decode((z / pipe.vae.config.scaling_factor + pipe.vae.config.shift_factor).to(pipe.vae.dtype)).sample
    image = pipe.image_processor.postprocess(pixels, output_type="np")[0]
    return z.float(), torch.from_numpy((image * 255).round().astype("uint8"))


def cases(cfg: dict) -> list[dict]:
    base = dict(seed=42, gamma=1.0, gamma_steps=0, lora=0.0, **cfg)
    return [
        dict(base, name="plain"),
        dict(base, name="gamma_some", gamma=1.6, gamma_steps=2, seed=7),
        dict(base, name="gamma_all", gamma=1.6, gamma_steps=SMALL.steps),
        dict(base, name="lora", lora=0.7),
    ]


def adapter(pipe, targets: list[str], path, change=lambda layers: None) -> None:
    """A random LoRA of rank 4, alpha 8, saved as diffusers saves one, after change has seen its layers."""
    torch.manual_seed(5)
    pipe.transformer.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=targets, init_lora_weights=False), "tiny")
    layers = get_peft_model_state_dict(pipe.transformer, adapter_name="tiny")
    change(layers)
    type(pipe).save_lora_weights(path.parent, transformer_lora_layers=layers, weight_name=path.name,
                                 transformer_lora_adapter_metadata=pipe.transformer.peft_config["tiny"].to_dict())
    pipe.unload_lora_weights()


def make(name: str, pipe, targets: list[str], todo: list[dict]) -> None:
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pipe.to(torch.bfloat16).save_pretrained(folder / "model")  # weights are bf16 values, so nothing is lost
    adapter(pipe.to(torch.float32), targets, folder / "lora.safetensors")
    for tokenizer in folder.glob("model/tokenizer*"):
        shutil.rmtree(tokenizer)
    tensors = painted(pipe, todo, SMALL, folder / "lora.safetensors")
    told = dict(versions=common.versions(), prompt=PROMPT, **dataclasses.asdict(SMALL), cases=todo)
    save_file({k: t.contiguous() for k, t in tensors.items()}, folder / "golden.safetensors", {"golden": json.dumps(told)})
    for file in folder.rglob("*.*"):
        file.chmod(0o644)
    print(name, {k: f"{t.abs().mean().item():.4f}" for k, t in tensors.items() if k.endswith("latents")})


def painted(pipe, todo: list[dict], p: Picture, lora) -> dict[str, torch.Tensor]:
    """Latents of every case in f32 and in bf16, and pixels in f32; lora is the file that cases with a LoRA load."""
    pipe.set_progress_bar_config(disable=True)
    tensors = {}
    for case in todo:
        for dtype, suffix in ((torch.float32, ""), (torch.bfloat16, ".bf16")):
            pipe.to(dtype)
            if case["lora"]:
                pipe.load_lora_weights(lora.parent, weight_name=lora.name, adapter_name="tiny")
                pipe.set_adapters("tiny", case["lora"])
            latents, image = paint(pipe, case, p)
            if case["lora"]:
                pipe.unload_lora_weights()
            tensors[case["name"] + suffix + ".latents"] = latents
            if not suffix:
                tensors[case["name"] + ".pixels"] = image
    return tensors


def main() -> None:
    common.versions()
    dev = dict(shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096)
    blocks = ["to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "proj_mlp", "ff.net.2", "norm1.linear"]
    torch.manual_seed(1)
    guided = cases(dict(guidance=3.5))
    guided.append(dict(guided[2], name="true_cfg", true_cfg=2.5, negative=NEGATIVE))
    make("flux", flux(True, 64, 2, dev), blocks + ["proj_out"], guided)
    torch.manual_seed(2)
    make("schnell", flux(False, 128, 1, dict(shift=1.0, use_dynamic_shifting=False)), blocks + ["x_embedder"], cases(dict(guidance=0.0))[:3])
    torch.manual_seed(3)
    cfg = cases(dict(guidance=4.5, negative=NEGATIVE))
    cfg.append(dict(cfg[0], name="no_cfg", guidance=1.0))
    make("sd3", sd3((0, 1), True), blocks + ["attn2.to_q", "context_embedder"], cfg)
    torch.manual_seed(4)
    make("sd3-no-t5", sd3((), False), blocks, cases(dict(guidance=4.5))[:3])


if __name__ == "__main__":
    sys.exit(main())
