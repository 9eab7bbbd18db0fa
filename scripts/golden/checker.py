"""Goldens of the mini-bench's checker: true renders, what they show, and what PyTorch finds in them with the embedded weights.

    cd DIR WITH SHARDS; python .../scripts/golden/checker.py data128/shard_900.npz data256/shard_900.npz
        writes internal/checker/testdata: 16 renders of the first shard, 8 of the second (scripts/train_demo/data.py makes them)
"""

import json
import sys

import torch
from PIL import Image

from common import REPOSITORY, save

sys.path.insert(0, str(REPOSITORY / "scripts/train_demo"))
import checker
import export_checker

WEIGHTS = REPOSITORY / "internal/demo/bench/checker.safetensors"
RENDERS = (16, 8)  # of each shard
DENSE = 4  # of each, with the detector's whole output
KINDS = ("pair", "pair", "pair", "single", "pair", "count", "pair", "pair")


def chosen(scenes: list, n: int) -> list[int]:
    """n scenes whose kinds go round as KINDS do."""
    left = list(range(len(scenes)))
    picked = []
    for i in range(n):
        picked.append(next(j for j in left if scenes[j]["kind"] == KINDS[i % len(KINDS)]))
        left.remove(picked[-1])
    return picked


@torch.no_grad()
def main(shards: list[str]) -> None:
    torch.set_num_threads(1)  # for the same bits on every machine of a kind
    out = REPOSITORY / "internal/checker/testdata"
    out.mkdir(parents=True, exist_ok=True)
    net = export_checker.read(WEIGHTS)
    renders, dense = [], {}
    for path, n in zip(shards, RENDERS):
        images, scenes = checker.load_shards([path])
        for k, i in enumerate(chosen(scenes, n)):
            file = f"{images.shape[1]}-{k:02d}.png"
            Image.fromarray(images[i]).save(out / file, optimize=True)
            objects = [{q: o[q] for q in ("shape", "color", "material")} for o in scenes[i]["objects"]]
            found = checker.detect(net, images[i : i + 1])[0]
            renders.append({"file": file, "kind": scenes[i]["kind"], "relation": scenes[i]["relation"] or "", "objects": objects, "found": found})
            if k < DENSE:
                dense[file] = net(checker.to_input(images[i : i + 1]))[0].flatten(1).T.contiguous()
    save(out / "outputs.safetensors", dense)
    (out / "renders.json").write_text(json.dumps(renders, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
