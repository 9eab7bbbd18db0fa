"""Writes the checker and the prompts of `taca bench mini`, with what the checker is worth on true renders it was not trained on.

usage: export_checker.py OUT SHARD...    OUT/checker.safetensors, OUT/prompts.txt; SHARDs as data.py makes them, of any size

Batch norm is folded into the convolutions, and those are rounded to bf16; what is measured is the checker as it is written.
The metadata says, by the pictures' side and by category, how many of the SHARDs' pairs of objects it accepted when described
rightly, and how many it rejected when one attribute, or the relation, was wrong. Equal inputs give equal bytes.
"""
import json
import os
import sys
import numpy as np
import torch
import torch.nn as nn
from safetensors.torch import load_file, save_file
import checker
from prompts import CATEGORIES, evaluation_prompts, text_of

COMPARED = {"color": "color", "shape": "shape", "texture": "material", "spatial": "relation"}   # what is made wrong
PROMPTS = 1024                                      # of each category


def folded(block):
    """(weight, bias) of a convolution and the batch norm after it."""
    conv, norm = block[0], block[1]
    gain = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return conv.weight.double() * gain[:, None, None, None], norm.bias.double() - norm.running_mean.double() * gain


def tensors(net):
    """The detector without norms, by name."""
    blocks = {f"stem.{i}": b for i, b in enumerate(net.stem)}
    blocks |= {f"res.{i}.{j}": b for i, pair in enumerate(net.res) for j, b in enumerate(pair)}
    named = {"out.weight": net.out.weight[:, :, 0, 0].to(torch.bfloat16), "out.bias": net.out.bias.float()}
    for name, block in blocks.items():
        weight, bias = folded(block)
        named |= {f"{name}.weight": weight.to(torch.bfloat16), f"{name}.bias": bias.float()}
    return {name: t.detach().contiguous() for name, t in sorted(named.items())}


class Folded(nn.Module):
    """The detector as it is written, in float32."""

    def __init__(self, named):
        super().__init__()
        self.named = {name: t.float() for name, t in named.items()}

    def conv(self, name, x, stride=1):
        return torch.conv2d(x, self.named[name + ".weight"], self.named[name + ".bias"], stride, 1).relu()

    def forward(self, x):
        for i in range(3):
            x = self.conv(f"stem.{i}", x, 2)
        for i in range(3):
            x = x + self.conv(f"res.{i}.1", self.conv(f"res.{i}.0", x))
        return torch.conv2d(x, self.named["out.weight"][:, :, None, None], self.named["out.bias"])


def read(path):
    """The detector of a file that write has made."""
    return Folded(load_file(path)).eval()


def description(category, scene):
    """A pair's prompt in a category; None where that would say too little, as two equal shapes do."""
    a, b = scene["objects"]
    same = {k: a[k] == b[k] for k in ("shape", "material")}
    if category in ("shape", "texture") and same["shape"] or category == "texture" and same["material"]:
        return None
    objects = [{k: o[k] for k in ["shape"] + CATEGORIES[category]} for o in (a, b)]
    relation = scene["relation"] if category == "spatial" else None
    return dict(text=text_of(objects, relation, None), objects=objects, relation=relation, count=None)


def measure(net, path):
    """(side of the pictures, by category how many were accepted rightly and rejected rightly, and of how many)."""
    images, scenes = checker.load_shards([path])
    pairs = [i for i, scene in enumerate(scenes) if scene["kind"] == "pair"]
    rng, counts = np.random.default_rng(3), {c: dict(accepted=0, rejected=0, pairs=0) for c in COMPARED}
    for i, found in zip(pairs, checker.detect(net, images[pairs])):
        for category, key in COMPARED.items():
            prompt = description(category, scenes[i])
            if prompt is None:
                continue
            counts[category]["pairs"] += 1
            counts[category]["accepted"] += bool(checker.verify(found, prompt))
            counts[category]["rejected"] += not checker.verify(found, checker.corrupt(prompt, key, rng))
    return images.shape[1], counts


def main(out, shards):
    torch.set_num_threads(1)
    os.makedirs(out, exist_ok=True)
    named = tensors(checker.load())
    measured = dict(measure(Folded(named).eval(), path) for path in shards)
    for side, counts in measured.items():
        for category, c in counts.items():
            print(f"{side} {category:8s} accepted {c['accepted']} rejected {c['rejected']} of {c['pairs']}")
    facts = dict(seen=str(checker.SEEN), peak=str(checker.PEAK), measured=json.dumps(measured, sort_keys=True))
    save_file(named, f"{out}/checker.safetensors", metadata=facts)
    with open(f"{out}/prompts.txt", "w") as f:
        for category in COMPARED:
            f.writelines(f"{category}\t{p['text']}\n" for p in evaluation_prompts(category, PROMPTS))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
