"""Runs that start from a picture: what diffusers' img2img and inpaint pipelines paint with the tiny models.

    python pictures.py

Writes internal/pipeline/testdata/{flux,sd3}/pictures.safetensors: a picture, a mask, and the final latents of
every case, in f32 and in bf16, with the models that pipelines.py wrote. Steps that have gamma are counted from
the beginning of the whole schedule, the ones that are left out included.
"""

import json
import sys

import numpy as np
import PIL.Image
import torch
from diffusers import (
    FluxImg2ImgPipeline,
    FluxInpaintPipeline,
    FluxPipeline,
    StableDiffusion3Img2ImgPipeline,
    StableDiffusion3InpaintPipeline,
    StableDiffusion3Pipeline,
)
from safetensors.torch import save_file
from transformers import CLIPTokenizer, T5TokenizerFast

import common
import pipelines

WIDTH, HEIGHT, STEPS, TEXT = 96, 64, 6, 24
KINDS = {
    "flux": (FluxPipeline, FluxImg2ImgPipeline, FluxInpaintPipeline, dict(guidance=3.5)),
    "sd3": (StableDiffusion3Pipeline, StableDiffusion3Img2ImgPipeline, StableDiffusion3InpaintPipeline, dict(guidance=4.5, negative=pipelines.NEGATIVE)),
}


def drawing() -> tuple[np.ndarray, np.ndarray]:
    """Colours that run into each other under some noise, and a mask with every level of grey."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    noise = np.random.default_rng(3).integers(0, 40, (HEIGHT, WIDTH, 3))
    picture = np.stack([2 * x, 3 * y, 200 - x - y], -1) + noise
    mask = np.clip(4 * x + 3 * y - 190 + noise[:, :, 0], 0, 255)
    mask[8], mask[24] = 128, 127  # on either side of white's border, where the latents' pixels begin
    return picture.clip(0, 255).astype(np.uint8), mask.astype(np.uint8)


def cases(settings: dict) -> list[dict]:
    base = dict(seed=42, gamma=1.0, gamma_steps=0, mask=False, **settings)
    return [
        dict(base, name="much", strength=0.8),
        dict(base, name="little", strength=0.35, seed=7),
        dict(base, name="all", strength=1.0),
        dict(base, name="gamma", strength=0.8, gamma=1.6, gamma_steps=3),
        dict(base, name="inpaint", strength=0.8, mask=True),
        dict(base, name="inpaint_gamma", strength=1.0, gamma=1.6, gamma_steps=2, mask=True),
    ]


def paint(folder, kind: str, case: dict, dtype, picture, mask) -> torch.Tensor:
    whole, from_picture, inpaint, _ = KINDS[kind]
    tokens = pipelines.TOKENIZERS
    clip, t5 = CLIPTokenizer.from_pretrained(tokens / "tokenizer"), T5TokenizerFast.from_pretrained(tokens / "tokenizer_2")
    second = dict(tokenizer_2=t5) if kind == "flux" else dict(tokenizer_2=clip, tokenizer_3=t5)
    parts = whole.from_pretrained(folder, tokenizer=clip, torch_dtype=dtype, **second).components
    pipe = (inpaint if case["mask"] else from_picture)(**parts)
    pipe.set_progress_bar_config(disable=True)
    text = TEXT + (0 if kind == "flux" else 77)
    skipped = int(max(STEPS - min(STEPS * case["strength"], STEPS), 0))
    gamma_steps = max(case["gamma_steps"] - skipped, 0)
    common.temper(pipe.transformer, case["gamma"] if gamma_steps > 0 else 1.0, text)

    def schedule(pipe, step, timestep, kwargs):
        for name, module in pipe.transformer.named_modules():
            if name.endswith(".attn"):
                module.processor.gamma = case["gamma"] if step + 1 < gamma_steps else 1.0
        return {}

    asked = dict(prompt=pipelines.PROMPT, image=PIL.Image.fromarray(picture), strength=case["strength"], width=WIDTH, height=HEIGHT,
                 num_inference_steps=STEPS, max_sequence_length=TEXT, guidance_scale=case["guidance"], output_type="latent",
                 generator=torch.Generator("cpu").manual_seed(case["seed"]), callback_on_step_end=schedule)
    if case["mask"]:
        asked["mask_image"] = PIL.Image.fromarray(mask)
    if case.get("negative"):
        asked["negative_prompt"] = case["negative"]
    latents = pipe(**asked).images
    if kind == "flux":
        latents = pipe._unpack_latents(latents, HEIGHT, WIDTH, pipe.vae_scale_factor)
    return latents.float()


@torch.no_grad()
def main() -> None:
    picture, mask = drawing()
    for kind, (*_, settings) in KINDS.items():
        folder, todo = pipelines.OUT / kind, cases(settings)
        tensors = dict(picture=torch.from_numpy(picture), mask=torch.from_numpy(mask))
        for case in todo:
            for dtype, suffix in ((torch.float32, ""), (torch.bfloat16, ".bf16")):
                tensors[case["name"] + suffix] = paint(folder / "model", kind, case, dtype, picture, mask)
        told = dict(versions=common.versions(), prompt=pipelines.PROMPT, width=WIDTH, height=HEIGHT, steps=STEPS, text=TEXT, cases=todo)
        path = folder / "pictures.safetensors"
        save_file({k: t.contiguous() for k, t in tensors.items()}, path, {"golden": json.dumps(told)})
        path.chmod(0o644)
        print(kind, path.stat().st_size, {k: f"{t.abs().mean().item():.4f}" for k, t in tensors.items() if t.is_floating_point()})


if __name__ == "__main__":
    sys.exit(main())
