"""Trains a LoRA for the steps in which TACA acts, on a diffusers folder of FLUX.1 or SD3 / SD3.5 or on taca's embedded model.

    python scripts/train_lora.py MODEL --data PICTURES --out lora.safetensors

PICTURES is a folder of pictures with metadata.jsonl, one {"file_name": ..., "text": ...} a line. TACA (arXiv 2506.07986)
has its LoRA active just where gamma is not 1, so noise levels are drawn from there alone: uniformly between --threshold and 1000.
The loss is the plain one of rectified flow, with gamma in every joint attention, so the adapter learns to
paint what the stressed text alone would spoil. Prompts and pictures are encoded once, then their encoders leave memory.

Interrupted (Ctrl-C, or killed), it goes on from OUT.state when run again with the same arguments. `taca generate
--taca-lora OUT` and diffusers' load_lora_weights read the result.
"""
import argparse
import json
import os
import sys
import time

import numpy as np
import torch
from diffusers import DiffusionPipeline
from peft import LoraConfig, get_peft_model_state_dict, set_peft_model_state_dict
from PIL import Image

import taca_attention

PROJECTIONS = ["to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"]
NAMED = ("model", "data", "rank", "steps", "batch", "lr", "gamma", "threshold", "size", "length", "guidance", "empty", "seed")


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("model", help="diffusers folder with a FluxPipeline or StableDiffusion3Pipeline")
    ap.add_argument("--data", required=True, help="folder of pictures with metadata.jsonl")
    ap.add_argument("--out", required=True, help="safetensors file to write, in diffusers' spelling")
    ap.add_argument("--rank", type=int, default=16)
    ap.add_argument("--steps", type=int, default=1000, help="updates, all runs together")
    ap.add_argument("--batch", type=int, default=4)
    ap.add_argument("--lr", type=float, default=1e-4)
    ap.add_argument("--gamma", type=float, default=1.2)
    ap.add_argument("--threshold", type=float, default=970, help="timestep of 1000 from which gamma acts")
    ap.add_argument("--size", type=int, default=512, help="side of the square that pictures are cut to, in pixels")
    ap.add_argument("--length", type=int, default=256, help="T5 tokens of a prompt")
    ap.add_argument("--guidance", type=float, default=3.5, help="for models that embed their guidance")
    ap.add_argument("--empty", type=float, default=0.1, help="share of prompts left empty, for classifier-free guidance")
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ap.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"], help="of the frozen weights; the LoRA is float32")
    ap.add_argument("--recompute", action="store_true", help="trade time for memory: gradient checkpointing")
    a = ap.parse_args()
    if not a.out.endswith(".safetensors"):
        ap.error(f"--out {a.out}: must end in .safetensors")
    if not 0 <= a.threshold < 1000:
        ap.error(f"--threshold {a.threshold}: must be at least 0 and less than 1000")
    return a


def pairs(folder):
    """(path of a picture, its prompt) for each line of metadata.jsonl."""
    path = os.path.join(folder, "metadata.jsonl")
    try:
        with open(path, encoding="utf-8") as f:
            rows = [json.loads(line) for line in f if line.strip()]
        found = [(os.path.join(folder, r["file_name"]), r["text"]) for r in rows]
    except (OSError, ValueError, KeyError) as e:
        sys.exit(f'read {path}: {e!r}; it wants one {{"file_name": ..., "text": ...}} a line')
    if not found:
        sys.exit(f"read {path}: it names no pictures")
    return found


def pixels(path, size):
    """The largest square in the middle of a picture as [1, 3, size, size] in -1..1."""
    with Image.open(path) as picture:
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        square = picture.convert("RGB").resize((size, size), Image.LANCZOS, (left, top, left + side, top + side))
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)[None].float() / 127.5 - 1


class Family:
    """What differs between the two transformers: how prompts are encoded and how the velocity is asked for."""

    def __init__(self, pipe, a):
        self.pipe, self.a, self.flux = pipe, a, hasattr(pipe.transformer.config, "axes_dims_rope")

    def encode(self, prompt):
        """(text tokens [1, length, width], pooled [1, width]) of a prompt."""
        if self.flux:
            return self.pipe.encode_prompt(prompt, None, max_sequence_length=self.a.length)[:2]
        text, _, pooled, _ = self.pipe.encode_prompt(prompt, None, None, do_classifier_free_guidance=False, max_sequence_length=self.a.length)
        return text, pooled

    def velocity(self, x, sigma, text, pooled):
        """Velocity of latents [n, 16, height, width] at noise level sigma [n]."""
        transformer = self.pipe.transformer
        if not self.flux:
            return transformer(hidden_states=x, timestep=sigma * 1000, encoder_hidden_states=text, pooled_projections=pooled, return_dict=False)[0]
        n, c, h, w = x.shape
        ids = self.pipe._prepare_latent_image_ids(n, h // 2, w // 2, x.device, x.dtype)
        guidance = torch.full((n,), self.a.guidance, device=x.device) if transformer.config.guidance_embeds else None
        v = transformer(hidden_states=self.pipe._pack_latents(x, n, c, h, w), timestep=sigma, guidance=guidance, pooled_projections=pooled,
                        encoder_hidden_states=text, txt_ids=torch.zeros(text.shape[1], 3, device=x.device, dtype=x.dtype), img_ids=ids,
                        return_dict=False)[0]
        return v.view(n, h // 2, w // 2, c, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(n, c, h, w)


@torch.no_grad()
def encode(family, a):
    """(latents [count, 16, height, width], texts, pooled, the same two of the empty prompt), on the processor; the encoders are freed."""
    pipe, found = family.pipe, pairs(a.data)
    vae, latents, texts, pooled, read = pipe.vae, [], [], [], {}
    for path, prompt in found:
        z = vae.encode(pixels(path, a.size).to(a.device, vae.dtype)).latent_dist.mean
        latents.append(((z - vae.config.shift_factor) * vae.config.scaling_factor).float().cpu())
        if prompt not in read:
            read[prompt] = tuple(t.cpu() for t in family.encode(prompt))
        texts.append(read[prompt][0])
        pooled.append(read[prompt][1])
    empty = tuple(t.cpu() for t in family.encode(""))
    pipe.vae = pipe.text_encoder = pipe.text_encoder_2 = pipe.text_encoder_3 = None
    return torch.cat(latents), torch.cat(texts), torch.cat(pooled), empty


class Trainer:
    def __init__(self, a):
        self.a, dtype = a, getattr(torch, a.dtype)
        pipe = DiffusionPipeline.from_pretrained(a.model, torch_dtype=dtype, local_files_only=True).to(a.device)
        self.family = Family(pipe, a)
        self.latents, self.texts, self.pooled, self.empty = encode(self.family, a)
        self.transformer = pipe.transformer.requires_grad_(False)
        self.gamma = taca_attention.install(self.transformer)
        torch.manual_seed(a.seed)
        self.transformer.add_adapter(LoraConfig(r=a.rank, lora_alpha=a.rank, init_lora_weights="gaussian", target_modules=PROJECTIONS))
        self.trained = [p for p in self.transformer.parameters() if p.requires_grad]
        for p in self.trained:
            p.data = p.data.float()
        if a.recompute:
            self.transformer.enable_gradient_checkpointing()
        self.optimizer = torch.optim.AdamW(self.trained, lr=a.lr, weight_decay=1e-4)
        self.generator = torch.Generator().manual_seed(a.seed)
        self.step, self.state = 0, a.out + ".state"
        if os.path.exists(self.state):
            self.restore(torch.load(self.state))

    def named(self):
        """The arguments that a state belongs to."""
        return {k: getattr(self.a, k) for k in NAMED}

    def restore(self, state):
        other = [f"--{k} {v}" for k, v in state["named"].items() if v != getattr(self.a, k) and k != "steps"]
        if other:
            sys.exit(f"{self.state} belongs to a run with {', '.join(other)}: give the same, or remove it to begin again")
        set_peft_model_state_dict(self.transformer, state["lora"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step = state["step"]

    def save(self):
        lora = get_peft_model_state_dict(self.transformer)
        torch.save(dict(named=self.named(), lora=lora, optimizer=self.optimizer.state_dict(), generator=self.generator.get_state(), step=self.step),
                   self.state + ".part")
        os.replace(self.state + ".part", self.state)

    def update(self):
        """One step; returns the loss."""
        a, g, n = self.a, self.generator, self.a.batch
        i = torch.randint(len(self.latents), (n,), generator=g)
        low = a.threshold / 1000
        sigma = low + (1 - low) * torch.rand(n, generator=g)
        noise = torch.randn(n, *self.latents.shape[1:], generator=g)
        drop = torch.rand(n, generator=g) < a.empty
        text = torch.where(drop[:, None, None], self.empty[0], self.texts[i])
        pooled = torch.where(drop[:, None], self.empty[1], self.pooled[i])
        x0, s = self.latents[i], sigma[:, None, None, None]
        x = ((1 - s) * x0 + s * noise).to(a.device, self.transformer.dtype)
        self.gamma.value = a.gamma
        with torch.autocast(a.device, torch.bfloat16, enabled=a.dtype == "bfloat16"):
            v = self.family.velocity(x, sigma.to(a.device), text.to(a.device), pooled.to(a.device))
        loss = ((v.float() - (noise - x0).to(a.device)) ** 2).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        warm = min(1, (self.step + 1) / 20)
        left = 1 - self.step / a.steps
        for group in self.optimizer.param_groups:
            group["lr"] = a.lr * warm * min(1, 0.02 + 2 * left)     # full for half of the way, then down
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        return loss.item()

    def run(self):
        losses, saved, start, first = [], time.time(), time.time(), self.step
        while self.step < self.a.steps:
            losses.append(self.update())
            if self.step % 20 == 0 or self.step == self.a.steps:
                each = (time.time() - start) / (self.step - first)
                print(f"step {self.step} of {self.a.steps}  loss {np.mean(losses):.4f}  {each:.2f} s each", file=sys.stderr, flush=True)
                losses = []
            if time.time() - saved > 300:
                self.save()
                saved = time.time()
        self.finish()

    def finish(self):
        """Writes the adapter in diffusers' spelling; the state, no longer needed, goes."""
        folder, name = os.path.split(os.path.abspath(self.a.out))
        config = self.transformer.peft_config["default"].to_dict()
        type(self.family.pipe).save_lora_weights(folder, transformer_lora_layers=get_peft_model_state_dict(self.transformer),
                                                 weight_name=name + ".part.safetensors", transformer_lora_adapter_metadata=config)
        os.replace(self.a.out + ".part.safetensors", self.a.out)
        if os.path.exists(self.state):
            os.remove(self.state)
        print(self.a.out)


def main():
    trainer = Trainer(options())
    try:
        trainer.run()
    except KeyboardInterrupt:
        trainer.save()
        sys.exit(f"interrupted at step {trainer.step}: the same command goes on from {trainer.state}")


if __name__ == "__main__":
    main()
