"""Judge of pictures: a centre-point detector trained on true renders, and the comparison of its findings with a prompt.

usage: checker.py train SECONDS    -> checkpoints/checker.pt, then the test
       checker.py test             accepts true and rejects wrong descriptions of the last shard (not trained on)

Places are in pixels of the 128x128 that the detector looks at.
"""
import glob
import json
import sys
import time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import scenes as S
from prompts import OPPOSITE

WEIGHTS = "checkpoints/checker.pt"
SEEN = 128                                          # pixels per side that the detector looks at
CELLS = SEEN // 8                                   # heat map cells per side
CLASSES = ((1, 5), (5, 13), (13, 17))               # output channels of shape, colour, material
BATCH, RATE, TRAIN_SHARDS, PEAK = 48, 3e-3, 7, 0.42


def conv(i, o, stride=1):
    return nn.Sequential(nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o), nn.ReLU(True))


class Detector(nn.Module):
    """Picture [n, 3, 128, 128] in -1..1 -> heat map and class logits [n, 17, 16, 16]."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 24, 2), conv(24, 48, 2), conv(48, 96, 2))
        self.res = nn.ModuleList([nn.Sequential(conv(96, 96), conv(96, 96)) for _ in range(3)])
        self.out = nn.Conv2d(96, 17, 1)

    def forward(self, x):
        h = self.stem(x)
        for block in self.res:
            h = h + block(h)
        return self.out(h)


def targets(objects):
    """(heat map [16, 16] with a bump per object centre, classes [3, 16, 16] near the centres, -1 elsewhere)."""
    heat, classes = np.zeros((CELLS, CELLS), np.float32), np.full((3, CELLS, CELLS), -1, np.int64)
    yy, xx = np.mgrid[:CELLS, :CELLS] + 0.5
    for o in sorted(objects, key=lambda o: o["z"]):
        height = S.dimensions(o)[1] * (0.5 if o["shape"] != "cone" else 0.4)
        x, y = S.project([[o["x"], height, o["z"]]])[0] * CELLS / S.SIZE
        distance = (xx - x) ** 2 + (yy - y) ** 2
        heat = np.maximum(heat, np.exp(-distance / (2 * 0.8 ** 2)))
        for k, v in enumerate((S.SHAPES.index(o["shape"]), S.COLORS.index(o["color"]), S.MATERIALS.index(o["material"]))):
            classes[k][distance < 1.3] = v
    return heat, classes


def load_shards(paths):
    shards = [np.load(p) for p in paths]
    return np.concatenate([z["images"] for z in shards]), [m for z in shards for m in json.loads(z["meta"].tobytes())]


def to_input(images):
    """uint8 pictures [n, side, side, 3] -> [n, 3, 128, 128] in -1..1, averaged over squares where they are larger."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    return F.avg_pool2d(x, images.shape[1] // SEEN)


def blemish(x):
    """Imitates what a decoder may do to a picture: blur, noise, a change of gain."""
    blur, noise, gain = np.random.random(3)
    if blur < 0.5:
        small = F.interpolate(x, scale_factor=float(np.random.uniform(0.4, 0.9)), mode="area")
        x = F.interpolate(small, size=(SEEN, SEEN), mode="bilinear")
    if noise < 0.4:
        x = x + torch.randn_like(x) * 0.06 * np.random.random()
    if gain < 0.5:
        x = x * (1 + 0.12 * torch.randn(len(x), 1, 1, 1)) + 0.06 * torch.randn(len(x), 3, 1, 1)
    return x


def losses(out, heat, classes):
    lh = (F.binary_cross_entropy_with_logits(out[:, 0], heat, reduction="none") * (1 + 4 * heat)).mean()
    return lh, sum(F.cross_entropy(out[:, a:b], classes[:, k], ignore_index=-1) for k, (a, b) in enumerate(CLASSES))


def train(seconds):
    images, meta = load_shards(sorted(glob.glob("data/shard_???.npz"))[:TRAIN_SHARDS])
    truth = [targets(m["objects"]) for m in meta]
    heats, classes = (torch.from_numpy(np.stack(t)) for t in zip(*truth))
    net = Detector().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-3)
    start, step, log = time.time(), 0, []
    while (part := (time.time() - start) / seconds) < 1:
        for g in optimizer.param_groups:
            g["lr"] = RATE * min(1, (step + 1) / 50) * max(0.01, 1 - part)
        i = torch.randint(len(images), (BATCH,))
        x, h, c = to_input(images[i.numpy()]), heats[i], classes[i]
        if step % 2:
            x, h, c = x.flip(-1), h.flip(-1), c.flip(-1)
        with torch.autocast("cpu", torch.bfloat16):
            out = net(blemish(x).contiguous(memory_format=torch.channels_last)).float()
        lh, lc = losses(out, h, c)
        optimizer.zero_grad()
        (10 * lh + lc).backward()
        optimizer.step()
        step += 1
        log.append((lh.item(), lc.item()))
        if step % 100 == 0:
            print("step %d %.0f s heat %.4f classes %.4f" % (step, time.time() - start, *np.mean(log, 0)), flush=True)
            log = []
    torch.save(net.eval().state_dict(), WEIGHTS)


def load(path=WEIGHTS):
    net = Detector()
    net.load_state_dict(torch.load(path))
    return net.eval()


@torch.no_grad()
def detect(net, images, peak=PEAK):
    """uint8 pictures [n, side, side, 3] -> per picture the objects found: dict(shape, color, material, score, x, y)."""
    found = []
    for i in range(0, len(images), 64):
        out = net(to_input(images[i:i + 64]))
        heat = torch.sigmoid(out[:, 0])
        peaks = (heat == F.max_pool2d(heat[:, None], 3, 1, 1)[:, 0]) & (heat > peak)
        for b in range(len(out)):
            cells = peaks[b].nonzero().tolist()
            found.append(sorted((describe(out[b], heat[b], y, x) for y, x in cells), key=lambda d: -d["score"]))
    return found


def describe(out, heat, y, x):
    words = (S.SHAPES, S.COLORS, S.MATERIALS)
    kinds = [values[int(out[a:b, y, x].argmax())] for (a, b), values in zip(CLASSES, words)]
    rows, cols = slice(max(0, y - 1), y + 2), slice(max(0, x - 1), x + 2)
    w = heat[rows, cols]
    gy, gx = torch.meshgrid(torch.arange(CELLS)[rows] + 0.5, torch.arange(CELLS)[cols] + 0.5, indexing="ij")
    pixels = SEEN / CELLS
    return dict(zip(("shape", "color", "material"), kinds), score=float(heat[y, x]),
                x=float((gx * w).sum() / w.sum()) * pixels, y=float((gy * w).sum() / w.sum()) * pixels)


def fits(found, wanted):
    return all(found[k] == v for k, v in wanted.items())


def verify(found, prompt):
    """True when every object of the prompt is there, each by its own detection, and number or relation hold."""
    if prompt["count"]:
        return len(found) == prompt["count"] and all(fits(d, prompt["objects"][0]) for d in found)
    if len(prompt["objects"]) == 1:
        return len(found) == 1 and fits(found[0], prompt["objects"][0])
    a, b = prompt["objects"]
    return any(fits(p, a) and fits(q, b) and related(p, q, prompt["relation"]) for p in found for q in found if p is not q)


def related(p, q, relation):
    dx, dy = p["x"] - q["x"], p["y"] - q["y"]
    return {None: True, "left": dx < -12, "right": dx > 12, "front": dy > 8, "behind": dy < -8}[relation]


def share_found(found, prompt):
    """Share of the prompt's objects that are there, whatever their relation."""
    left, hits = list(found), 0
    for wanted in prompt["objects"]:
        hit = next((d for d in left if fits(d, wanted)), None)
        if hit:
            left.remove(hit)
            hits += 1
    return hits / len(prompt["objects"])


def corrupt(prompt, key, rng):
    """The same prompt with one attribute, or the relation, made wrong."""
    wrong = json.loads(json.dumps(prompt))
    if key == "relation":
        return dict(wrong, relation=OPPOSITE[prompt["relation"]])
    values = dict(shape=S.SHAPES, color=S.COLORS, material=S.MATERIALS)[key]
    o = wrong["objects"][int(rng.integers(len(wrong["objects"])))]
    o[key] = values[(values.index(o[key]) + 1 + int(rng.integers(len(values) - 1))) % len(values)]
    return wrong


def test():
    net, rng, results = load(), np.random.default_rng(3), {}
    images, meta = load_shards(sorted(glob.glob("data/shard_???.npz"))[-1:])
    for found, m in zip(detect(net, images), meta):
        for key in ("shape", "color", "material", "relation"):
            if key == "relation" and not m["relation"]:
                continue
            keep = ["shape"] + ([key] if key in ("color", "material") else ["color"])
            objects = [{k: o[k] for k in keep} for o in m["objects"]]
            several = m["kind"] == "count"
            prompt = dict(objects=objects[:1] if several else objects, count=len(objects) if several else None,
                          relation=m["relation"] if key == "relation" else None)
            results.setdefault(f"{key} true accepted", []).append(verify(found, prompt))
            results.setdefault(f"{key} wrong rejected", []).append(not verify(found, corrupt(prompt, key, rng)))
    for name, values in results.items():
        print(f"{name:24s} {100 * np.mean(values):.2f} % of {len(values)}")


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(float(sys.argv[2]))
    test()
