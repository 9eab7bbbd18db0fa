"""Noise and schedules of torch and diffusers.

    python sampler.py

Needs an x86-64 processor with AVX2: elsewhere the last bits of torch's noise are others.

Writes internal/sampler/testdata/golden.json: torch.randn of CPU generators, once and several times, the
steps that img2img leaves out, and the sigmas that FluxPipeline and StableDiffusion3Pipeline set for
published and unusual scheduler configs.
"""

import hashlib
import json
import sys
import types

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, StableDiffusion3Img2ImgPipeline
from diffusers.pipelines.flux.pipeline_flux import calculate_shift

import common

DEV = dict(num_train_timesteps=1000, shift=3.0, use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15, base_image_seq_len=256, max_image_seq_len=4096)
CONFIGS = {
    "flux-dev": DEV,
    "flux-schnell": dict(num_train_timesteps=1000, shift=1.0),
    "sd35": dict(num_train_timesteps=1000, shift=3.0),
    "linear": dict(DEV, time_shift_type="linear"),
    "terminal": dict(DEV, shift_terminal=0.02),
    "odd": dict(num_train_timesteps=1000, shift=2.7),
}


def noise() -> list[dict]:
    """Some values of each case, so that a difference can be seen, and a digest of all."""
    if torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        sys.exit("torch does not use AVX2 here")
    out = []
    for seed in (0, 1, 42, 2**31, 2**32 + 5):
        for n in (1, 2, 7, 15, 16, 17, 31, 64, 1000, 4096, 100003):
            values = torch.randn(n, generator=torch.Generator("cpu").manual_seed(seed))
            keep = values if n <= 64 else torch.cat([values[:8], values[-24:]])
            out.append(dict(seed=seed, n=n, head=keep[: -24 if n > 64 else n].tolist(), tail=keep[-24:].tolist() if n > 64 else [], sha256=hashlib.sha256(values.numpy().tobytes()).hexdigest()))
    return out


def draws() -> list[dict]:
    """Several draws from one generator."""
    out = []
    for seed, sizes in ((3, (5, 5, 4)), (4, (3, 20, 1, 64)), (5, (64, 64)), (6, (17, 33, 700))):
        generator = torch.Generator("cpu").manual_seed(seed)
        values = [torch.randn(n, generator=generator) for n in sizes]
        out.append(dict(seed=seed, sizes=sizes, tails=[v[-24:].tolist() for v in values]))
    return out


def left_out() -> list[dict]:
    """How many steps img2img leaves out, where the product of steps and strength is rounded this way and that."""
    out = []
    for steps in (1, 4, 7, 10, 28, 30, 50):
        scheduler = FlowMatchEulerDiscreteScheduler()
        scheduler.set_timesteps(steps)
        pipe = types.SimpleNamespace(scheduler=scheduler)
        for strength in (0.05, 0.1, 0.3, 0.35, 0.6, 0.7, 0.75, 0.9, 0.999, 1.0):
            _, left = StableDiffusion3Img2ImgPipeline.get_timesteps(pipe, steps, strength, "cpu")
            out.append(dict(steps=steps, strength=strength, skipped=steps - left))
    return out


def schedules() -> list[dict]:
    out = []
    for name, config in CONFIGS.items():
        for steps in (1, 2, 4, 20, 28, 30, 50):
            for tokens in (64, 1024, 4096, 5000):
                for family in ("flux", "sd3"):
                    scheduler = FlowMatchEulerDiscreteScheduler(**config)
                    c = scheduler.config
                    mu = calculate_shift(tokens, c.base_image_seq_len, c.max_image_seq_len, c.base_shift, c.max_shift)
                    if family == "flux":
                        scheduler.set_timesteps(steps, sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
                    else:
                        scheduler.set_timesteps(steps, **(dict(mu=mu) if c.use_dynamic_shifting else {}))
                    if not c.use_dynamic_shifting and tokens != 64:
                        continue
                    if bool(torch.isfinite(scheduler.sigmas).all()):
                        out.append(dict(family=family, config=name, steps=steps, tokens=tokens, sigmas=scheduler.sigmas.tolist()))
    return out


if __name__ == "__main__":
    path = common.REPOSITORY / "internal/sampler/testdata/golden.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = dict(versions=common.versions(), configs=CONFIGS, noise=noise(), draws=draws(), left_out=left_out(), schedules=schedules())
    path.write_text(json.dumps(told, separators=(",", ":")) + "\n")
    print(path.stat().st_size, "bytes")
