"""Goldens of the VAE's two halves: tiny models, every module's output, how values become bytes, and how latents are
drawn from what the encoder says.

python scripts/golden/vae.py            writes internal/model/vae/testdata
"""

import copy
import json
import pathlib

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.image_processor import VaeImageProcessor
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.utils import logging

from common import REPOSITORY
from encoders_common import fill, golden, hook, plan, testdata

VAE = {
    # Four sizes, as FLUX.1 and Stable Diffusion 3 have, of tiny widths.
    "four": dict(
        block_out_channels=[8, 16, 16, 32], layers_per_block=1, latent_channels=16, norm_num_groups=4,
        scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
    ),
    # What the former lacks: a matrix before the decoder, no attention, three layers a block, no shift.
    "older": dict(
        block_out_channels=[4, 8, 8], layers_per_block=2, latent_channels=4, norm_num_groups=2,
        scaling_factor=1.5305, mid_block_add_attention=False,
    ),
}  # fmt: skip
GRIDS = {"four": (3, 4), "older": (3, 6)}  # of the latents


def pixels(t: torch.Tensor) -> torch.Tensor:
    """A picture (1, channels, height, width) as a matrix with one row per pixel."""
    return t[0].flatten(1).T


def forward(model, latents: torch.Tensor) -> torch.Tensor:
    """From the denoiser's latents, as the pipelines do."""
    z = latents.to(model.dtype) / model.config.scaling_factor + (model.config.shift_factor or 0.0)
    return model.decode(z, return_dict=False)[0]


def vae_golden(case: str, config: dict) -> None:
    n = len(config["block_out_channels"])
    model = AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * n, up_block_types=["UpDecoderBlock2D"] * n, **config).eval()
    state = {k: t for k, t in model.state_dict().items() if k.startswith(("decoder.", "post_quant_conv."))}
    plans = plan(state)
    fill(state, plans)
    low, seen = copy.deepcopy(model).to(torch.bfloat16), {}

    names = ["post_quant_conv"] * model.config.use_post_quant_conv + ["decoder.conv_in", "decoder.mid_block", "decoder.conv_act", "decoder.conv_out"]
    names += [f"decoder.up_blocks.{i}" for i in range(n)]
    names += [name for name, _ in model.named_modules() if name.startswith("decoder.") and name.split(".")[-2] in ("resnets", "attentions")]
    for name in names:
        hook(model.get_submodule(name), name, seen, pixels)

    height, width = GRIDS[case]
    latents = torch.randn(1, config["latent_channels"], height, width, generator=torch.Generator().manual_seed(n)).bfloat16().float()
    out = forward(model, latents)
    run = dict(
        name="picture", told=dict(height=height, width=width), seen=seen, input={"latents": pixels(latents)},
        output={"pixels": pixels(out)}, bf16={"pixels": pixels(forward(low, latents)).float()},
    )  # fmt: skip
    public = {key: value for key, value in model.config.items() if key != "_use_default_values"}
    golden(testdata("vae", case), public, plans, [run])


def encoder_golden(path: pathlib.Path, config: dict, grid: tuple[int, int]) -> None:
    n = len(config["block_out_channels"])
    model = AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * n, up_block_types=["UpDecoderBlock2D"] * n, **config).eval()
    state = {k: t for k, t in model.state_dict().items() if k.startswith(("encoder.", "quant_conv."))}
    plans = plan(state)
    fill(state, plans)
    low, seen = copy.deepcopy(model).to(torch.bfloat16), {}

    names = ["quant_conv"] * model.config.use_quant_conv + ["encoder.conv_in", "encoder.mid_block", "encoder.conv_act", "encoder.conv_out"]
    names += [f"encoder.down_blocks.{i}" for i in range(n)]
    names += [name for name, _ in model.named_modules() if name.startswith("encoder.") and name.split(".")[-2] in ("resnets", "attentions")]
    for name in names:
        hook(model.get_submodule(name), name, seen, pixels)

    height, width = (side * 2 ** (n - 1) for side in grid)
    picture = torch.randint(0, 256, (1, 3, height, width), generator=torch.Generator().manual_seed(n)).float() / 255 * 2 - 1
    picture = picture.bfloat16().float()
    out = model.encode(picture).latent_dist.parameters
    run = dict(
        name="latents", told=dict(height=height, width=width), seen=seen, input={"pixels": pixels(picture)},
        output={"moments": pixels(out)}, bf16={"moments": pixels(low.encode(picture.bfloat16()).latent_dist.parameters).float()},
    )  # fmt: skip
    public = {key: value for key, value in model.config.items() if key != "_use_default_values"}
    golden(path, public, plans, [run])


def posterior() -> None:
    """Latents drawn from moments, some of whose variances the reference clamps."""
    channels, height, width = 4, 3, 5
    draw = torch.Generator().manual_seed(5)
    moments, noise = torch.randn(1, 2 * channels, height, width, generator=draw), torch.randn(1, channels, height, width, generator=draw)
    moments[:, channels:] *= 16
    assert (moments[:, channels:] > 20).any() and (moments[:, channels:] < -30).any()
    spread = DiagonalGaussianDistribution(moments)
    scaling, shift = 0.3611, 0.1159
    latents = (spread.mean + spread.std * noise - shift) * scaling
    told = dict(channels=channels, scaling=scaling, shift=shift, moments=pixels(moments).flatten().tolist(), noise=noise.flatten().tolist(), latents=latents.flatten().tolist())
    path = REPOSITORY / "internal/model/vae/testdata/posterior.json"
    path.write_text(json.dumps(told, separators=(",", ":")) + "\n")
    path.chmod(0o644)
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes")


def levels() -> None:
    """Values on both sides of every byte's edge, and on it where 32 bits can hold it, and their bytes."""
    halves = np.arange(0, 256, dtype=np.float32) + np.float32(0.5)
    edges = halves / np.float32(255)
    around = [edges, np.nextafter(edges, np.float32(2)), np.nextafter(edges, np.float32(-2))]
    values = np.concatenate([e * 2 - 1 for e in around] + [np.float32([-1.5, -1, -0.0, 0, 1, 1.0001, 7])]).astype(np.float32)
    picture = torch.from_numpy(values).reshape(1, 1, 1, -1).repeat(1, 3, 1, 1)
    bytes_ = np.asarray(VaeImageProcessor().postprocess(picture, output_type="pil")[0])[0, :, 0]
    on_edge = np.isin((values * np.float32(0.5) + np.float32(0.5)) * np.float32(255), halves)
    assert on_edge.sum() > 50, "no value lies on an edge"
    path = REPOSITORY / "internal/model/vae/testdata/levels.json"
    bits = values.view(np.uint32).tolist()
    path.write_text(json.dumps(dict(bits=bits, bytes=bytes_.tolist()), separators=(",", ":")) + "\n")
    path.chmod(0o644)
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes, {on_edge.sum()} values on an edge")


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    for case, config in VAE.items():
        vae_golden(case, config)
        encoder_golden(testdata("vae", f"encoder/{case}"), config, GRIDS[case])
    levels()
    posterior()


if __name__ == "__main__":
    main()
