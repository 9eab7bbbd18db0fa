"""Trains the FLUX transformer together with its T5 and CLIP encoders by rectified flow, with an auxiliary loss per token: image
tokens tell what lies under them, text tokens what else is said of their object. Without the latter two objects' colours are swapped.

usage: transformer.py SECONDS [--init FOLDER|CHECKPOINT] [--out checkpoints/flux.pt] [--threads 2]     (resumes at --out)
The schedule follows the wall clock: full rate for 45 % of SECONDS, then linearly to 1 %; with --constant, full rate to the end.
"""
import argparse
import os
import time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import compact
import flow
from dataset import TARGETS, Dataset, add_noise, noise_levels
from muon import MuonAdamW, update_ema
from networks import Tokens, fresh, from_folder, optimizer_groups
from prompts import SAID

SAVE_EVERY = 240    # seconds
EMPTY_PROMPTS = 0.1  # share of captions dropped, for classifier-free guidance


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("seconds", type=float, help="wall clock, all runs together")
    ap.add_argument("--init", help="diffusers folder, checkpoint or compact weights to start from; without it, random weights")
    ap.add_argument("--out", default="checkpoints/flux.pt")
    ap.add_argument("--constant", action="store_true", help="for a first stage that another goes on from")
    ap.add_argument("--model", default="model", help="folder with the tokenizers")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument("--lr", type=float, default=1.5e-3)
    ap.add_argument("--muon-lr", type=float, default=0.02)
    ap.add_argument("--auxiliary", type=float, default=0.3)
    return ap.parse_args()


def rate(step, part, constant):
    """Share of the learning rates at this step and part of the schedule."""
    return min(1, (step + 1) / 150) * (1 if constant or part < 0.45 else max(0.0, (1 - part) / 0.55) * 0.99 + 0.01)


def beginning(init, sizes):
    """The networks to begin with and the weights of those auxiliary heads that there are already."""
    if not init:
        return fresh(*sizes), {}
    if os.path.isdir(init):
        return from_folder(init), {}
    averaged = compact.read(init) if init.endswith(".safetensors") else torch.load(init)["ema"]
    return fresh(*sizes).load_ema(averaged), {k: v for k, v in averaged.items() if k.startswith(("aux.", "words."))}


class Trainer:
    def __init__(self, a):
        self.a, self.tokens = a, Tokens(a.model)
        torch.manual_seed(0)
        self.module, heads = beginning(a.init, self.tokens.sizes())
        self.module.aux = nn.Linear(256, TARGETS)   # which shapes, colours, materials lie under each token
        self.module.words = nn.Linear(192, len(SAID))   # what is said of the object that a word belongs to
        self.module.load_state_dict(heads, strict=False)
        self.module.tr.set_attn_processor(flow.Attention(explicit=True))
        self.optimizer = MuonAdamW(*optimizer_groups(self.module), muon_lr=a.muon_lr, adam_lr=a.lr)
        self.ema = {k: v.detach().clone() for k, v in self.module.state_dict().items()}
        self.step, self.used = 0, 0.0
        if os.path.exists(a.out):
            self.restore(torch.load(a.out))
        self.data = Dataset(self.tokens)
        self.empty = self.tokens([""])
        self.tables = flow.rope(self.module.tr)
        self.generator = torch.Generator().manual_seed(self.step + 1)
        self.module.compile_blocks()

    def restore(self, state):
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["opt"])
        self.ema, self.step, self.used = state["ema"], state["step"], state["used"]

    def save(self, used):
        state = dict(model=self.module.state_dict(), ema=self.ema, opt=self.optimizer.state_dict(), step=self.step, used=used)
        torch.save(state, self.a.out + ".part")
        os.replace(self.a.out + ".part", self.a.out)

    def update(self, part):
        """One step; returns (weighted loss, plain velocity error, auxiliary losses of image and of text tokens)."""
        n, g = self.a.batch, self.generator
        x0, cover, t5_ids, clip_ids, said = self.data.batch(n, g)
        drop = torch.rand(n, 1, generator=g) < EMPTY_PROMPTS
        t5_ids, clip_ids = torch.where(drop, self.empty[0], t5_ids), torch.where(drop, self.empty[1], clip_ids)
        sigma = noise_levels(n, g, mean=0.3, early=0.5)
        x, noise = add_noise(x0, sigma, g)
        with torch.autocast("cpu", torch.bfloat16):
            text, pooled = self.module.encode(t5_ids, clip_ids)
            v, middle = flow.velocity(self.module.tr, x, text, pooled, sigma, self.tables)
            seen, understood = self.module.aux(middle), self.module.words(text)
        error = ((v.float() - (noise - x0)) ** 2).mean(-1)
        loss = (error * flow.object_weight(cover[..., 16])).mean()
        auxiliary = F.binary_cross_entropy_with_logits(seen.float(), cover)
        bound = F.binary_cross_entropy_with_logits(understood.float(), said * ~drop[:, :, None])
        (loss + self.a.auxiliary * (1 if part < 0.5 else 0.3) * (auxiliary + bound)).backward()
        torch.nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step(rate(self.step, part, self.a.constant))
        self.optimizer.zero_grad()
        self.step += 1
        update_ema(self.ema, self.module, min(0.9985, (1 + self.step) / (20 + self.step)))
        return loss.item(), error.mean().item(), auxiliary.item(), bound.item()

    def run(self):
        start = saved = time.time()
        log, part = [], 0.0
        while part < 1:
            elapsed = self.used + time.time() - start
            part = min(1.0, elapsed / self.a.seconds)
            log.append(self.update(part))
            if self.step % 100 == 0 or part >= 1:
                print("step %d %.0f s rate %.3f loss %.4f mse %.4f aux %.4f words %.4f"
                      % (self.step, elapsed, rate(self.step, part, self.a.constant), *np.mean(log, 0)), flush=True)
                log = []
            if time.time() - saved > SAVE_EVERY or part >= 1:
                saved = time.time()
                self.save(self.used + saved - start)


if __name__ == "__main__":
    arguments = options()
    torch.set_num_threads(arguments.threads)
    Trainer(arguments).run()
