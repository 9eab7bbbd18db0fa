"""The training set in memory: normalised latents, object cover per token, and ready-made caption ids."""
import json
import numpy as np
import torch
import flow
import latents
import prompts
from networks import unpacked
from scenes import COLORS, MATERIALS, SHAPES, TOKENS

CAPTIONS = 6        # different captions drawn for each scene
TARGETS = len(SHAPES) + len(COLORS) + len(MATERIALS) + 1


def cover_targets(objects, grids):
    """Per image token: how much of it each shape, colour and material covers, and all objects together; uint8 [tokens, 17]."""
    t = np.zeros((TOKENS ** 2, TARGETS), np.int32)
    for o, grid in zip(objects, grids):
        for q in (SHAPES.index(o["shape"]), 4 + COLORS.index(o["color"]), 12 + MATERIALS.index(o["material"]), 16):
            t[:, q] += grid.reshape(-1)
    return np.minimum(t, 255).astype(np.uint8)


class Dataset:
    """Scenes whose object pair is not held out; joined is the share of two-object captions without a relation."""

    def __init__(self, tokens, shards=None, joined=0.42, seed=0):
        shift, scale = latents.scale()
        rng = np.random.default_rng(seed)
        z, cover, t5, clip, said = [], [], [], [], []
        for path in latents.latent_files()[:shards]:
            shard = np.load(path.replace("latents_", "shard_").replace(".npy", ".npz"))
            meta, grids = json.loads(shard["meta"].tobytes()), shard["grids"]
            keep = [i for i, m in enumerate(meta) if not prompts.held_out(m["objects"])]
            z.append(((np.load(path)[keep].astype(np.float32) - shift) * scale).astype(np.float16))
            cover += [cover_targets(meta[i]["objects"], grids[i]) for i in keep]
            texts = [prompts.caption(rng, meta[i], joined) for i in keep for _ in range(CAPTIONS)]
            a, b = tokens(texts)
            said.append(tokens.objects(texts).view(-1, CAPTIONS, a.shape[1]))
            t5.append(a.short().view(-1, CAPTIONS, a.shape[1]))
            clip.append(b.short().view(-1, CAPTIONS, b.shape[1]))
        self.latents = torch.from_numpy(np.concatenate(z))
        self.cover = torch.from_numpy(np.stack(cover))
        self.t5, self.clip, self.said = torch.cat(t5), torch.cat(clip), torch.cat(said)

    def __len__(self):
        return len(self.latents)

    def batch(self, size, generator):
        """(latents [size, tokens, 64], cover [size, tokens, 17] in 0..1, T5 ids, CLIP ids, what the phrase of each T5 token
        says [size, 32, 20] as 0 or 1) of random scenes and captions."""
        i = torch.randint(len(self), (size,), generator=generator)
        j = torch.randint(CAPTIONS, (size,), generator=generator)
        said = unpacked(self.said[i, j]).float()
        return self.latents[i].float(), self.cover[i].float() / 255, self.t5[i, j].long(), self.clip[i, j].long(), said


def noise_levels(size, generator, mean, early, shift=8.0):
    """sigma [size]: logistic-normal around the given mean; the share early is uniform and shifted towards the beginning.

    What is where, and of which colour, is decided while sigma is above 0.95: an object lies under some thirty tokens of 64
    channels, so it shows through noise that hides every single one of them. The logistic-normal has 0.4 % of its mass there.
    """
    s = torch.sigmoid(torch.randn(size, generator=generator) + mean)
    u = torch.rand(size, generator=generator)
    return torch.where(torch.rand(size, generator=generator) < early, flow.shifted(u, shift), s)


def add_noise(x0, sigma, generator):
    """(latents at noise level sigma, the noise)."""
    noise = torch.randn(x0.shape, generator=generator)
    return x0 + sigma[:, None, None] * (noise - x0), noise
