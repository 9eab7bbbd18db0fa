"""The averaged weights of a checkpoint in an eighth of its size, for another machine to train on from.

usage: compact.py CHECKPOINT OUT.safetensors
"""
import sys
import torch
from safetensors.torch import load_file, save_file


def narrow(weights):
    """Matrices as int8 with a scale per row, which training on soon mends; the rest as they are."""
    out = {}
    for name, w in weights.items():
        if w.ndim == 2:
            scale = w.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
            out[name], out[name + ".scale"] = (w / scale).round().to(torch.int8), scale
        else:
            out[name] = w.contiguous()
    return out


def read(path):
    """The weights of a compact file, in float32."""
    weights = load_file(path)
    scaled = {n: w.float() * weights[n + ".scale"] if n + ".scale" in weights else w for n, w in weights.items()}
    return {n: w for n, w in scaled.items() if not n.endswith(".scale")}


if __name__ == "__main__":
    save_file(narrow(torch.load(sys.argv[1])["ema"]), sys.argv[2])
