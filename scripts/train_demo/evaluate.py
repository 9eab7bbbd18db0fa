"""Paints the evaluation prompts with a diffusers folder and lets the checker count what is right.

usage: evaluate.py MODEL [--prompts 128] [--seed 11] [--steps 24] [--gamma 1.0] [--threshold 0.97] [--guidance 1.0]
                   [--checkpoint FILE] [--checker FILE] [--categories single,color,...] [--out scores.json]
With --checkpoint the averaged weights of a training checkpoint replace those of the folder; with --checker the judge is one that
export_checker.py has written, and not that of checkpoints/.
"""
import argparse
import json
import time
import numpy as np
import torch
import checker
import export_checker
import flow
from networks import Tokens, from_folder, vae_from_folder
from prompts import CATEGORIES, evaluation_prompts


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("model")
    ap.add_argument("--checkpoint")
    ap.add_argument("--checker")
    ap.add_argument("--prompts", type=int, default=128)
    ap.add_argument("--seed", type=int, default=11)
    ap.add_argument("--steps", type=int, default=24)
    ap.add_argument("--guidance", type=float, default=1.0)
    ap.add_argument("--gamma", type=float, default=1.0)
    ap.add_argument("--threshold", type=float, default=0.97, help="gamma acts while sigma is at least this")
    ap.add_argument("--categories", default=",".join(CATEGORIES))
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--out")
    return ap.parse_args()


def standard_error(values):
    return float(np.std(values) / np.sqrt(len(values)))


def main():
    a = options()
    torch.set_num_threads(a.threads)
    nets, vae, tokens = from_folder(a.model).eval(), vae_from_folder(a.model), Tokens(a.model)
    judge = export_checker.read(a.checker) if a.checker else checker.load()
    if a.checkpoint:
        nets.load_ema(torch.load(a.checkpoint)["ema"])
    scores = {}
    for category in a.categories.split(","):
        prompts, start = evaluation_prompts(category, a.prompts), time.time()
        pictures = flow.sample(nets, vae, tokens, [p["text"] for p in prompts], steps=a.steps, seed=a.seed,
                               guidance=a.guidance, gamma=a.gamma, threshold=a.threshold)
        found = checker.detect(judge, pictures)
        full = [100.0 * checker.verify(f, p) for f, p in zip(found, prompts)]
        objects = [100.0 * checker.share_found(f, p) for f, p in zip(found, prompts)]
        scores[category] = dict(full=np.mean(full), full_error=standard_error(full), objects=np.mean(objects),
                                objects_error=standard_error(objects), right=[bool(v) for v in full])
        print(f"{category:8s} full {np.mean(full):5.1f} +- {standard_error(full):.1f}   objects {np.mean(objects):5.1f}"
              f" +- {standard_error(objects):.1f}   {time.time() - start:.0f} s", flush=True)
    print("mean full %.1f objects %.1f" % tuple(np.mean([s[k] for s in scores.values()]) for k in ("full", "objects")))
    if a.out:
        with open(a.out, "w") as f:
            json.dump(dict(options=vars(a), scores=scores), f, indent=1)


if __name__ == "__main__":
    main()
