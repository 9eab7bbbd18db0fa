"""Renders scenes as a folder that train_lora.py reads: PNG files and metadata.jsonl with a caption of each.

usage: lora_data.py OUT COUNT [SEED]     pairs that are held out from training are left out here too
"""
import json
import os
import sys
import numpy as np
from PIL import Image
from prompts import caption, held_out
from render import render
from scenes import sample_scene


def main(out, count, seed=7):
    rng = np.random.default_rng(seed)
    os.makedirs(out, exist_ok=True)
    with open(f"{out}/metadata.jsonl", "w") as f:
        for i in range(count):
            scene = sample_scene(rng)
            while held_out(scene["objects"]):
                scene = sample_scene(rng)
            Image.fromarray(render(scene)[0]).save(f"{out}/{i:05d}.png")
            f.write(json.dumps({"file_name": f"{i:05d}.png", "text": caption(rng, scene)}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
