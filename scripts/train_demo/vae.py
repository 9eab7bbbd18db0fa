"""Trains the image autoencoder: 16 latent channels, 8 pixels per latent pixel, on 64x64 crops around objects.

usage: vae.py SECONDS [--decoder-only] [--threads 2]    -> checkpoints/vae.pt (resumes there)
With --decoder-only the latents stay as they are while the decoder gets sharper.
"""
import argparse
import glob
import os
import time
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from muon import MuonAdamW, update_ema
from scenes import DATA, SIZE

CHECKPOINT = "checkpoints/vae.pt"
SAVE_EVERY = 120    # seconds
CONFIG = dict(in_channels=3, out_channels=3, latent_channels=16, sample_size=SIZE, layers_per_block=1, norm_num_groups=8,
              block_out_channels=(16, 32, 64, 96), down_block_types=("DownEncoderBlock2D",) * 4,
              up_block_types=("UpDecoderBlock2D",) * 4, use_quant_conv=False, use_post_quant_conv=False,
              mid_block_add_attention=True, force_upcast=False)


def load_vae(path=CHECKPOINT):
    """The averaged autoencoder of a checkpoint, frozen, in float32."""
    vae = AutoencoderKL(**CONFIG)
    vae.load_state_dict(torch.load(path)["ema"])
    return vae.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("seconds", type=float)
    ap.add_argument("--decoder-only", action="store_true")
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--muon-lr", type=float, default=0.01)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--crop", type=int, default=64)
    ap.add_argument("--kl", type=float, default=1e-3)
    ap.add_argument("--threads", type=int, default=2)
    return ap.parse_args()


def load_pictures(limit=12000):
    images, grids = [], []
    for path in sorted(glob.glob(f"{DATA}/shard_???.npz")):
        shard = np.load(path)
        images.append(shard["images"])
        grids.append(shard["grids"])
        if sum(map(len, images)) >= limit:
            break
    return np.concatenate(images), np.concatenate(grids)


def crops(rng, images, grids, n, size):
    """n random crops in -1..1, most of them around an object, half of them mirrored."""
    out = np.empty((n, size, size, 3), np.uint8)
    for i in range(n):
        k = rng.integers(len(images))
        if rng.random() < 0.85:
            ys, xs = np.nonzero(grids[k].max(0) > 20)
            j = rng.integers(len(ys))
            y, x = ys[j] * 16 + 8 - size // 2, xs[j] * 16 + 8 - size // 2
        else:
            y, x = rng.integers(0, SIZE + 1 - size, 2)
        y, x = np.clip([y + rng.integers(-8, 9), x + rng.integers(-8, 9)], 0, SIZE - size)
        crop = images[k, y:y + size, x:x + size]
        out[i] = crop[:, ::-1] if rng.random() < 0.5 else crop
    return torch.from_numpy(out).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def gradient_loss(a, b):
    """L1 between the horizontal and vertical differences of two pictures."""
    return (F.l1_loss(a[..., 1:] - a[..., :-1], b[..., 1:] - b[..., :-1])
            + F.l1_loss(a[..., 1:, :] - a[..., :-1, :], b[..., 1:, :] - b[..., :-1, :]))


def reconstruct(vae, x, decoder_only):
    """(picture from a sampled latent, Kullback-Leibler divergence to the unit normal)."""
    with torch.autocast("cpu", torch.bfloat16):
        mean, log_variance = vae.encoder(x).float().chunk(2, 1)
        log_variance = log_variance.clamp(-12, 4)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        y = vae.decoder(z.detach() if decoder_only else z).float()
    return y, 0.5 * (mean * mean + log_variance.exp() - 1 - log_variance).mean()


def psnr(error):
    return 10 * np.log10(4 / error)


def optimizer_of(vae, a):
    """Muon for the inner convolutions, AdamW for the rest."""
    conv = {n: p for n, p in vae.named_parameters() if p.requires_grad and p.ndim == 4 and p[0].numel() > 64
            and "conv_out" not in n and "conv_in" not in n}
    rest = [p for n, p in vae.named_parameters() if p.requires_grad and n not in conv]
    return MuonAdamW(list(conv.values()), [dict(params=rest, gain=1)], muon_lr=a.muon_lr, adam_lr=a.lr)


def main():
    a = options()
    torch.set_num_threads(a.threads)
    rng = np.random.default_rng()
    images, grids = load_pictures()
    unseen, images, grids = images[-64:], images[:-64], grids[:-64]
    vae = AutoencoderKL(**CONFIG).to(memory_format=torch.channels_last)
    ema, done = {k: v.detach().clone() for k, v in vae.state_dict().items()}, 0
    if os.path.exists(CHECKPOINT):
        state = torch.load(CHECKPOINT)
        vae.load_state_dict(state["model"])
        ema, done = state["ema"], state["step"]
    if a.decoder_only:
        vae.encoder.requires_grad_(False)
    params = [p for p in vae.parameters() if p.requires_grad]
    optimizer, forward = optimizer_of(vae, a), torch.compile(reconstruct)
    start = saved = time.time()
    log, step, part = [], 0, 0.0
    while part < 1:
        part = min((time.time() - start) / a.seconds, 1)
        rate = min(1, (step + 1) / 60) * (0.02 + 0.49 * (1 + np.cos(np.pi * max(0, (part - 0.3) / 0.7))))
        x = crops(rng, images, grids, a.batch, a.crop).contiguous(memory_format=torch.channels_last)
        y, kl = forward(vae, x, a.decoder_only)
        mse = F.mse_loss(y, x)
        loss = F.l1_loss(y, x) + 0.5 * gradient_loss(y, x) + mse + (0 if a.decoder_only else a.kl * kl)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step(rate)
        step += 1
        update_ema(ema, vae, min(0.998, (step + done + 1) / (step + done + 10)))
        log.append((loss.item(), mse.item(), kl.item()))
        if step % 100 == 0 or part >= 1:
            m = np.mean(log, 0)
            seconds = time.time() - start
            print(f"step {step + done} {seconds:.0f} s loss {m[0]:.4f} psnr {psnr(m[1]):.2f} kl {m[2]:.2f}", flush=True)
            log = []
        if time.time() - saved > SAVE_EVERY or part >= 1:
            saved = time.time()
            torch.save(dict(model=vae.state_dict(), ema=ema, step=step + done), CHECKPOINT + ".part")
            os.replace(CHECKPOINT + ".part", CHECKPOINT)
    x = torch.from_numpy(unseen).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        print("unseen pictures: psnr %.2f" % psnr(F.mse_loss(load_vae()(x).sample, x).item()))


if __name__ == "__main__":
    os.makedirs("checkpoints", exist_ok=True)
    main()
