"""Loads a model folder with diffusers' FluxPipeline, without any code of this folder in its way, and paints a sheet of pictures.

usage: sheet.py MODEL OUT.png [--steps 24]     the README's prompt with seeds 0 to 9, then held-out prompts of every kind
"""
import argparse
import time
import numpy as np
import torch
from diffusers import FluxPipeline
from pictures import captioned
from prompts import evaluation_prompts
from scenes import SIZE

FIRST = "a red metal sphere to the left of a blue cube"


def jobs():
    """(prompt, seed) of every picture."""
    found = [(FIRST, seed) for seed in range(10)]
    for category, n in (("single", 5), ("count", 5), ("color", 5), ("texture", 5), ("spatial", 10), ("complex", 5)):
        found += [(p["text"], 3) for p in evaluation_prompts(category, 40)[20:20 + n]]
    return found


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("model")
    ap.add_argument("out")
    ap.add_argument("--steps", type=int, default=24)
    a = ap.parse_args()
    torch.set_num_threads(2)
    pipe = FluxPipeline.from_pretrained(a.model, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    start, wanted, pictures = time.time(), jobs(), []
    for prompt, seed in wanted:
        pictures += pipe(prompt, height=SIZE, width=SIZE, num_inference_steps=a.steps, guidance_scale=1.0, max_sequence_length=32,
                         generator=torch.Generator("cpu").manual_seed(seed), output_type="np").images.tolist()
    print(f"{(time.time() - start) / len(pictures):.2f} s a picture")
    captioned((np.array(pictures) * 255 + 0.5).astype(np.uint8), [p for p, _ in wanted], 5).save(a.out)


if __name__ == "__main__":
    main()
