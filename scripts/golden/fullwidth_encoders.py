"""Goldens of encoders at their true widths: two layers of CLIP-G and one of T5-XXL, random weights, small vocabularies; the
VAE's encoder, of a small picture.

    python scripts/golden/fullwidth_encoders.py DIR        needs 3 GB of memory and a minute
    TACA_FULLWIDTH=DIR go test ./internal/model/clip ./internal/model/t5 ./internal/model/vae
"""

import pathlib
import sys

import torch
from transformers import CLIPTextModelWithProjection
from transformers.utils import logging

from encoders import END, clip_golden, t5_golden
from vae import encoder_golden

CLIP_G = dict(
    hidden_size=1280, intermediate_size=5120, num_hidden_layers=2, num_attention_heads=20, hidden_act="gelu",
    projection_dim=1280, vocab_size=100, max_position_embeddings=77, eos_token_id=END,
)  # fmt: skip
T5_XXL = dict(d_model=4096, d_kv=64, num_heads=64, d_ff=10240, num_layers=1, vocab_size=100, feed_forward_proj="gated-gelu")
VAE = dict(
    block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=16, norm_num_groups=32,
    scaling_factor=0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False,
)  # fmt: skip


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    clip_golden(pathlib.Path(sys.argv[1], "clip-g.safetensors"), CLIPTextModelWithProjection, CLIP_G)
    t5_golden(pathlib.Path(sys.argv[1], "t5-xxl.safetensors"), T5_XXL, [130], {})
    encoder_golden(pathlib.Path(sys.argv[1], "vae-encoder.safetensors"), VAE, (8, 9))


if __name__ == "__main__":
    main()
