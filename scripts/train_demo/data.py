"""Renders the scenes of the training set: DATA/shard_XXX.npz with pictures, object cover per token, and the scenes as JSON.

usage: data.py FIRST LAST    shards FIRST to LAST-1, 2,000 scenes each; shards that exist are kept
"""
import json
import os
import sys
import time
import numpy as np
from render import render
from scenes import DATA, SIZE, TOKENS, sample_scene

PER_SHARD = 2000
KEPT = ("shape", "color", "material", "x", "z", "s")


def cover_grid(cover):
    """Pixel cover [n, SIZE, SIZE] in ninths -> cover of each 16x16 token by each of up to three objects, uint8."""
    grid = np.zeros((3, TOKENS, TOKENS), np.uint8)
    for i, c in enumerate(cover):
        grid[i] = c.reshape(TOKENS, 16, TOKENS, 16).sum((1, 3), dtype=np.int32) * (255 / (9 * 256))
    return grid


def render_shard(k):
    rng = np.random.default_rng(1000 + k)
    images = np.empty((PER_SHARD, SIZE, SIZE, 3), np.uint8)
    grids, meta = np.empty((PER_SHARD, 3, TOKENS, TOKENS), np.uint8), []
    for i in range(PER_SHARD):
        scene = sample_scene(rng)
        images[i], cover = render(scene)
        grids[i] = cover_grid(cover)
        meta.append(dict(kind=scene["kind"], relation=scene["relation"], bg=scene["bg"],
                         objects=[{q: o[q] for q in KEPT} for o in scene["objects"]]))
    return dict(images=images, grids=grids, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8))


def main(first, last):
    os.makedirs(DATA, exist_ok=True)
    for k in range(first, last):
        path, start = f"{DATA}/shard_{k:03d}.npz", time.time()
        if os.path.exists(path):
            continue
        np.savez(path + ".part.npz", **render_shard(k))
        os.rename(path + ".part.npz", path)
        print(f"{path} {PER_SHARD / (time.time() - start):.1f} scenes/s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
