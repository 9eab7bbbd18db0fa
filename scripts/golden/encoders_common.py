"""What the goldens of text encoders and of the VAE share, beyond common.py: how their weights are spread, and hooks."""

import math
import pathlib
import sys

import numpy as np
import torch

from common import REPOSITORY, drawn, save

TRANSFORMERS = "5.23.0"


def spread(name: str, shape: torch.Size) -> tuple[float, float]:
    """Scale and centre of a tensor's values, so that activations keep their size and softmax has peaks."""
    if len(shape) == 1:
        return (0.5, 1.0) if "norm" in name and name.endswith("weight") else (0.25, 0.0)
    if "embed" in name or "shared" in name or "relative_attention_bias" in name:
        return 1.0, 0.0
    scale = 2.0 ** round(math.log2(math.sqrt(3 / math.prod(shape[1:]))))
    if any(part in name for part in ("q_proj", "k_proj", "to_q", "to_k")):
        scale *= 2
    if name.endswith("SelfAttention.q.weight"):  # T5's logits are not divided by the root of the head size
        scale /= 2
    return scale, 0.0


def plan(state: dict) -> list[dict]:
    """How the values of each tensor of a state dict are spread."""
    spreads = [(name, t.shape, *spread(name, t.shape)) for name, t in sorted(state.items())]
    return [dict(name=name, shape=list(shape), scale=scale, centre=centre) for name, shape, scale, centre in spreads]


@torch.no_grad()
def fill(state: dict, plans: list[dict]) -> None:
    """Give tensors the values of their plans; all are bf16 values."""
    for p in plans:
        values = torch.from_numpy(drawn(p["name"], math.prod(p["shape"])) * np.float32(p["scale"]) + np.float32(p["centre"]))
        assert torch.equal(values, values.bfloat16().float()), p["name"]
        state[p["name"]].copy_(values.reshape(p["shape"]))


def hook(module: torch.nn.Module, name: str, into: dict, matrix) -> None:
    """Keep what module returns, made a matrix, in `into` under name."""

    def keep(_module, _args, out):
        into[name] = matrix(out[0] if isinstance(out, tuple) else out).detach().float().clone()

    module.register_forward_hook(keep)


def error(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got - want).norm() / want.norm()).item()


def testdata(family: str, case: str) -> pathlib.Path:
    """Where the project keeps a case."""
    return REPOSITORY / "internal/model" / family / "testdata" / f"{case}.safetensors"


def golden(path: pathlib.Path, config: dict, plans: list[dict], runs: list[dict]) -> None:
    """Save a case. A run has a name, "told" for the metadata, and tensors by name: "seen", "input", "output" and "bf16"."""
    import transformers

    if transformers.__version__ != TRANSFORMERS:
        sys.exit(f"transformers is {transformers.__version__}, goldens are made with {TRANSFORMERS}")
    tensors = {}
    for run in runs:
        name, want = run["name"], run["seen"] | run["output"]
        tensors |= {f"{name}/{n}": t for n, t in run["seen"].items()}
        for kind in ("input", "output", "bf16"):
            tensors |= {f"{name}/{kind}/{n}": t for n, t in run.get(kind, {}).items()}
        sizes = [t.pow(2).mean().sqrt().item() for t in want.values()]
        naive = {n: round(error(t, want[n]), 5) for n, t in run["bf16"].items()}
        assert all(t.isfinite().all() for t in want.values())
        print(f"{path.stem} {name}: rms {min(sizes):.2f} to {max(sizes):.2f}, naive bf16 errors {naive}")
    told = [dict(name=run["name"], **run["told"]) for run in runs]
    save(path, tensors, config=config, weights=plans, runs=told, transformers=TRANSFORMERS)
