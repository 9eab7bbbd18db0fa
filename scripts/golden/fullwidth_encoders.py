"""Goldens of text encoders at their true widths: two layers of CLIP-G and one of T5-XXL, random weights, small vocabularies.

    python scripts/golden/fullwidth_encoders.py DIR        needs 3 GB of memory and a minute
    TACA_FULLWIDTH=DIR go test ./internal/model/clip ./internal/model/t5
"""

import pathlib
import sys

import torch
from transformers import CLIPTextModelWithProjection
from transformers.utils import logging

from encoders import END, clip_golden, t5_golden

CLIP_G = dict(
    hidden_size=1280, intermediate_size=5120, num_hidden_layers=2, num_attention_heads=20, hidden_act="gelu",
    projection_dim=1280, vocab_size=100, max_position_embeddings=77, eos_token_id=END,
)  # fmt: skip
T5_XXL = dict(d_model=4096, d_kv=64, num_heads=64, d_ff=10240, num_layers=1, vocab_size=100, feed_forward_proj="gated-gelu")


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    clip_golden(pathlib.Path(sys.argv[1], "clip-g.safetensors"), CLIPTextModelWithProjection, CLIP_G)
    t5_golden(pathlib.Path(sys.argv[1], "t5-xxl.safetensors"), T5_XXL, [130], {})


if __name__ == "__main__":
    main()
