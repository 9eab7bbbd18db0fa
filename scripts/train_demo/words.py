"""Teaches a new T5 encoder alone which words belong together: each token of a phrase learns all that is said of its object.

usage: words.py SECONDS --init FOLDER|CHECKPOINT [--out checkpoints/words.pt] [--model model]

A caption costs a hundredth of a picture's training step, and a transformer that reads bound words need not bind them itself.
The transformer's embedding of text is fitted to the new encoder, so that training can go on from what was learnt with the old.
"""
import argparse
import time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import transformer
from networks import Tokens, fresh, unpacked
from prompts import SAID, caption
from scenes import sample_scene

BATCH, CAPTIONS, RATE, DISTANCE_RATE = 128, 60_000, 3e-3, 3e-2


def options():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("seconds", type=float)
    ap.add_argument("--init", required=True, help="what transformer.py takes")
    ap.add_argument("--out", default="checkpoints/words.pt")
    ap.add_argument("--model", default="model", help="folder with the tokenizers")
    return ap.parse_args()


def captions(tokens, n, seed):
    """(T5 ids [n, 32], what the phrase of each token says of its object [n, 32, 20] as 0 or 1) of random scenes."""
    rng = np.random.default_rng(seed)
    texts = [caption(rng, sample_scene(rng)) for _ in range(n)]
    return tokens(texts)[0], unpacked(tokens.objects(texts)).bool()


@torch.no_grad()
def right(encoder, head, ids, said):
    """Share of the words in phrases of which all that is said was understood."""
    correct = ((head(encoder(ids)[0]) > 0) == said).all(-1)
    return correct[said.any(-1)].float().mean().item()


def train(seconds, encoder, ids, said, test):
    """The head that tells from a token what is said of its object."""
    head = nn.Linear(encoder.config.d_model, len(SAID))
    distances = [p for name, p in encoder.named_parameters() if "relative_attention" in name]
    others = [p for name, p in encoder.named_parameters() if "relative_attention" not in name] + list(head.parameters())
    groups = [dict(params=others, peak=RATE), dict(params=distances, peak=DISTANCE_RATE)]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    start, step = time.time(), 0
    while (part := (time.time() - start) / seconds) < 1:
        for g in optimizer.param_groups:
            g["lr"] = g["peak"] * min(1, (step + 1) / 50) * max(0.01, min(1, 2 * (1 - part)))
        i = torch.randint(len(ids), (BATCH,))
        with torch.autocast("cpu", torch.bfloat16):
            understood = head(encoder(ids[i])[0])
        loss = F.binary_cross_entropy_with_logits(understood.float(), said[i].float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print("step %d %.0f s words %.4f right %.4f"
                  % (step, time.time() - start, loss.item(), right(encoder, head, *test)), flush=True)
    return head


@torch.no_grad()
def fit_embedding(embedder, old, new, ids):
    """Makes the embedder of text give of the new encoder's tokens what it gave of the old one's, as nearly as a linear map can."""
    wanted = embedder(old(ids)[0]).flatten(0, 1)
    given = new(ids)[0].flatten(0, 1)
    given = torch.cat([given, torch.ones(len(given), 1)], 1)
    fit = torch.linalg.lstsq(given, wanted).solution
    print("text embedding: %.3f of its variance kept" % (1 - (given @ fit - wanted).var() / wanted.var()))
    embedder.weight.copy_(fit[:-1].T)
    embedder.bias.copy_(fit[-1])


def main():
    a = options()
    tokens = Tokens(a.model)
    torch.manual_seed(0)
    networks, heads = transformer.beginning(a.init, tokens.sizes())
    old, networks.t5 = networks.t5, fresh(*tokens.sizes()).t5
    ids, said = captions(tokens, CAPTIONS, seed=1)
    head = train(a.seconds, networks.t5, ids, said, captions(tokens, 1000, seed=2))
    fit_embedding(networks.tr.context_embedder, old, networks.t5, ids[:2000])
    heads |= {f"words.{name}": weight for name, weight in head.state_dict().items()}
    torch.save(dict(ema=networks.state_dict() | heads), a.out)


if __name__ == "__main__":
    main()
