"""Guidance distillation: the student learns the guided velocity of the frozen teacher in one forward pass, as FLUX.1-dev did.

usage: distil.py SECONDS [--guidance 3.0] [--before TEACHER STUDENT]     checkpoints/flux.pt -> checkpoints/flux_distilled.pt (resumes there)
SECONDS count from the end of the first step, which compiles the blocks.
"""
import argparse
import os
import time
import numpy as np
import torch
import flow
from dataset import Dataset, add_noise, noise_levels
from muon import MuonAdamW, update_ema
from networks import Tokens, fresh, optimizer_groups

TEACHER, STUDENT = "checkpoints/flux.pt", "checkpoints/flux_distilled.pt"
SAVE_EVERY = 60     # seconds


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("seconds", type=float, help="wall clock, all runs together")
    ap.add_argument("--guidance", type=float, default=3.0)
    ap.add_argument("--before", nargs=2, metavar=("TEACHER", "STUDENT"),
                    help="checkpoints of an earlier stage; the student begins with what distillation changed then")
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--shards", type=int, default=10, help="a short run sees few scenes: read only so many shards")
    ap.add_argument("--joined", type=float, default=0.25, help="share of two-object captions without a relation")
    ap.add_argument("--model", default="model", help="folder with the tokenizers")
    return ap.parse_args()


def beginning(teacher, before):
    """The student's first weights: the teacher's, and what an earlier student had changed of its own teacher's."""
    if not before:
        return teacher
    old, student = (torch.load(path)["ema"] for path in before)
    return {k: v + student[k] - old[k] if k in student and v.is_floating_point() else v for k, v in teacher.items()}


class Distiller:
    def __init__(self, a):
        self.a, tokens = a, Tokens(a.model)
        averaged = torch.load(TEACHER)["ema"]
        self.teacher, self.student = (fresh(*tokens.sizes()).load_ema(w) for w in (averaged, beginning(averaged, a.before)))
        self.teacher.eval().requires_grad_(False)
        self.teacher.tr.set_attn_processor(flow.Attention())
        self.student.tr.set_attn_processor(flow.Attention(explicit=True))
        self.optimizer = MuonAdamW(*optimizer_groups(self.student), muon_lr=4e-3, adam_lr=4e-4)
        self.ema = {k: v.detach().clone() for k, v in self.student.state_dict().items()}
        self.step, self.used = 0, 0.0
        if os.path.exists(STUDENT):
            self.restore(torch.load(STUDENT))
        self.data = Dataset(tokens, a.shards, a.joined, seed=1)
        self.tables = flow.rope(self.teacher.tr)
        self.generator = torch.Generator().manual_seed(self.step + 1)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            self.empty = self.teacher.encode(*tokens([""]))
        self.student.compile_blocks()

    def restore(self, state):
        self.student.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["opt"])
        self.ema, self.step, self.used = state["ema"], state["step"], state["used"]

    def save(self, used):
        state = dict(model=self.student.state_dict(), ema=self.ema, opt=self.optimizer.state_dict(), step=self.step, used=used)
        torch.save(state, STUDENT + ".part")
        os.replace(STUDENT + ".part", STUDENT)

    def update(self, part):
        """One step at this part of the schedule; returns the loss."""
        n, g = self.a.batch, self.generator
        x0, cover, t5_ids, clip_ids, _ = self.data.batch(n, g)
        sigma = noise_levels(n, g, mean=0.6, early=0.5)
        x, _ = add_noise(x0, sigma, g)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                text, pooled = self.teacher.encode(t5_ids, clip_ids)
                target = flow.guided(self.teacher.tr, x, text, pooled, self.empty, sigma, self.tables, self.a.guidance)
            v, _ = flow.velocity(self.student.tr, x, *self.student.encode(t5_ids, clip_ids), sigma, self.tables)
        loss = (((v.float() - target) ** 2).mean(-1) * flow.object_weight(cover[..., 16])).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step(min(1, (self.step + 1) / 10) * max(0.02, min(1, (1 - part) * 1.4)))
        self.optimizer.zero_grad()
        self.step += 1
        update_ema(self.ema, self.student, min(0.98, self.step / (self.step + 5)))
        return loss.item()

    def run(self):
        losses, part = [self.update(self.used / self.a.seconds)], 0.0
        start = saved = time.time()
        while part < 1:
            elapsed = self.used + time.time() - start
            part = min(1.0, elapsed / self.a.seconds)
            losses.append(self.update(part))
            if self.step % 20 == 0 or part >= 1:
                print(f"step {self.step} {elapsed:.0f} s loss {np.mean(losses):.4f}", flush=True)
                losses = []
            if time.time() - saved > SAVE_EVERY or part >= 1:
                saved = time.time()
                self.save(self.used + saved - start)


if __name__ == "__main__":
    arguments = options()
    torch.set_num_threads(arguments.threads)
    Distiller(arguments).run()
