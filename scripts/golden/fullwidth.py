"""Goldens of FLUX.1 and SD3.5 blocks at their true sizes: 512 text and 512 visual tokens, few blocks, random weights.

    python scripts/golden/fullwidth.py DIR        needs 10 GB of memory and some minutes
    TACA_FULLWIDTH=DIR go test ./internal/model/flux ./internal/model/sd3
"""

import pathlib
import sys

import torch
from diffusers import FluxTransformer2DModel, SD3Transformer2DModel
from diffusers.utils import logging

from common import fill, plan
from denoisers import golden

# One double and one single block; for SD3.5 one whole block and the last, whose text stream ends.
CASES = {
    "flux-dev": (FluxTransformer2DModel, dict(num_layers=1, num_single_layers=1, guidance_embeds=True)),
    "sd3-medium": (
        SD3Transformer2DModel,
        dict(num_layers=2, num_attention_heads=24, caption_projection_dim=1536, pos_embed_max_size=384, dual_attention_layers=[0], qk_norm="rms_norm"),
    ),
    "sd3-large": (
        SD3Transformer2DModel,
        dict(num_layers=2, num_attention_heads=38, caption_projection_dim=2432, pos_embed_max_size=192, qk_norm="rms_norm"),
    ),
}

RUNS = [
    dict(name="plain", gamma=1.0, sigma=1.0, guidance=3.5, text=512, height=16, width=32, bf16=False),
    dict(name="gamma1.2", gamma=1.2, sigma=0.9812, guidance=3.5, text=512, height=32, width=16, bf16=False),
]


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    for case, (make, config) in CASES.items():
        with torch.device("meta"):
            model = make(**config).eval()
        model.to_empty(device="cpu")
        weights = plan(model)
        fill(model, weights)
        golden(pathlib.Path(sys.argv[1], f"{case}.safetensors"), model, weights, RUNS)


if __name__ == "__main__":
    main()
