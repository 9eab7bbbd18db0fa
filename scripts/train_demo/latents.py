"""From pictures to the transformer's training latents: VAE posterior mean, packed 2x2 into tokens of 64 channels.

usage: latents.py encode PART PARTS [FOLDER]   every PARTS-th shard, shard_XXX.npz -> latents_XXX.npy (float16)
       latents.py scale [FOLDER]               shift and scale of the latents -> checkpoints/latents.json
The autoencoder is that of checkpoints/vae.pt, or of a finished model's FOLDER, which also fixes shift and scale.
"""
import glob
import json
import math
import os
import sys
import time
import numpy as np
import torch
from networks import vae_from_folder
from scenes import DATA
from vae import load_vae

SCALE_FILE = "checkpoints/latents.json"


def pack(z):
    """[n, 16, height, width] -> [n, tokens, 64]: each 2x2 patch of latent pixels becomes one token, channel-major as in FLUX."""
    n, c, h, w = z.shape
    return z.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(n, h * w // 4, c * 4)


def unpack(tokens):
    """The inverse of pack."""
    n, count, c = tokens.shape
    h = w = 2 * math.isqrt(count)
    return tokens.view(n, h // 2, w // 2, c // 4, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(n, c // 4, h, w)


def latent_files():
    return sorted(glob.glob(f"{DATA}/latents_???.npy"))


def scale():
    """(shift, scale) such that (z - shift) * scale has mean 0 and variance 1."""
    with open(SCALE_FILE) as f:
        s = json.load(f)
    return s["shift"], s["scale"]


@torch.no_grad()
def encode_shard(vae, images):
    out = []
    with torch.autocast("cpu", torch.bfloat16):
        for i in range(0, len(images), 20):
            x = torch.from_numpy(images[i:i + 20]).permute(0, 3, 1, 2).float() / 127.5 - 1
            mean = vae.encoder(x.contiguous(memory_format=torch.channels_last)).float()[:, :16]
            out.append(pack(mean.contiguous()).half().numpy())
    return np.concatenate(out)


def encode(part, parts, folder=None):
    torch.set_num_threads(1)
    vae = vae_from_folder(folder) if folder else load_vae()
    for path in sorted(glob.glob(f"{DATA}/shard_???.npz"))[part::parts]:
        out = path.replace("shard_", "latents_").replace(".npz", ".npy")
        if os.path.exists(out):
            continue
        start, images = time.time(), np.load(path)["images"]
        np.save(out + ".part.npy", encode_shard(vae, images))
        os.rename(out + ".part.npy", out)
        print(f"{out} {len(images) / (time.time() - start):.1f} images/s", flush=True)


def measure():
    z = torch.from_numpy(np.concatenate([np.load(f) for f in latent_files()[:3]])).float()
    return dict(shift=round(z.mean().item(), 5), scale=round(1 / z.std().item(), 5))


def write_scale(folder=None):
    config = vae_from_folder(folder).config if folder else None
    found = dict(shift=config.shift_factor, scale=config.scaling_factor) if config else measure()
    with open(SCALE_FILE, "w") as f:
        json.dump(found, f)
    print(found)


if __name__ == "__main__":
    if sys.argv[1] == "scale":
        write_scale(*sys.argv[2:])
    else:
        encode(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
