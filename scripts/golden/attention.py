"""Goldens of attention's statistics: the tiny models of denoisers.py, every probability formed in float64 by the reference.

    python scripts/golden/attention.py            writes internal/attention/testdata
"""

import torch
from denoisers import files, flux_forward, inputs, models, sd3_forward
from diffusers.utils import logging

from common import REPOSITORY, Watched, save, temper


def watch(model, forward, run: dict, columns: int) -> dict:
    """Share and entropy of every block, by head, and the maps of all text tokens: means over heads and blocks."""
    temper(model, 1.0, run["text"])
    temper(model, run["gamma"], run["text"], run.get("blocks"))
    attentions = [module for name, module in model.named_modules() if name.endswith(".attn")]
    blocks = [Watched(module.processor) for module in attentions]
    forward(model, run, inputs(run, columns, model.config))
    return {
        "share": torch.stack([b.share for b in blocks]),
        "entropy": torch.stack([b.entropy for b in blocks]),
        "maps": torch.stack([b.map for b in blocks]).mean(0),
    }


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(1)  # for the same bits on every machine of a kind
    for family, case, model, _ in models():
        flux = family == "flux"
        columns = model.config.in_channels if flux else model.config.in_channels * model.config.patch_size**2
        for name, runs in files(case):
            tensors = {}
            for run in runs:
                seen = watch(model, flux_forward if flux else sd3_forward, run, columns)
                tensors |= {f"{run['name']}/{what}": t.float() for what, t in seen.items()}
            save(REPOSITORY / "internal/attention/testdata" / f"{family}-{name}.safetensors", tensors)


if __name__ == "__main__":
    main()
