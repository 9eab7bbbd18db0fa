"""What the golden scripts share: weights that need no file, tempered attention, and recording.

Weights are a formula of a tensor's name and an element's index, in integers, so that the Go tests
compute the same ones (internal/model/modeltest/weights.go) and no file has to hold them.
"""

import contextlib
import json
import math
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PINNED = {"torch": "2.15", "diffusers": "0.42.1"}


def versions() -> dict:
    """Versions of the reference, refusing others than the pinned ones."""
    import diffusers

    found = {"torch": torch.__version__, "diffusers": diffusers.__version__}
    for name, want in PINNED.items():
        if not found[name].startswith(want):
            sys.exit(f"{name} is {found[name]}, goldens are made with {want}")
    return found


def drawn(name: str, count: int) -> np.ndarray:
    """count values k/64, k in -64..63: the top seven bits of splitmix64, seeded with FNV-1a of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(57)).astype(np.int64) - 64).astype(np.float32) / 64


def spread(model: torch.nn.Module, name: str, shape: torch.Size) -> tuple[float, float]:
    """Scale and centre of a tensor's values, so that activations keep their size and softmax has peaks."""
    if "norm_q" in name or "norm_k" in name or "norm_added" in name:
        return 0.5, 1.5
    if len(shape) == 1:
        return 0.25, 0.0
    if name == "pos_embed.pos_embed":
        return 1.0, 0.0
    scale = 2.0 ** round(math.log2(math.sqrt(3 / math.prod(shape[1:]))))
    unnormed = model.config.get("qk_norm", "rms_norm") is None
    if unnormed and any(part in name for part in ("to_q", "to_k", "add_q", "add_k")):
        scale *= 2
    return scale, 0.0


def plan(model: torch.nn.Module, faint: tuple[str, ...] = ()) -> list[dict]:
    """How the values of each of model's tensors are spread. Layers in faint give so little that the eps of the
    norm after them matters."""
    tensors = []
    for name, t in sorted(model.state_dict().items()):
        scale, centre = spread(model, name, t.shape)
        if name.startswith(faint):
            scale /= 512
        tensors.append(dict(name=name, shape=list(t.shape), scale=scale, centre=centre))
    return tensors


@torch.no_grad()
def fill(model: torch.nn.Module, tensors: list[dict]) -> None:
    """Give model the weights of a plan; all are bf16 values."""
    state = model.state_dict()
    for p in tensors:
        t = state[p["name"]]
        values = torch.from_numpy(drawn(p["name"], t.numel()) * np.float32(p["scale"]) + np.float32(p["centre"]))
        assert torch.equal(values, values.bfloat16().float()), p["name"]
        t.copy_(values.reshape(t.shape))


class Tempered:
    """Attention with TACA: logits of visual queries and text keys times gamma, before softmax.

    Serves FluxAttention (double and single blocks) and the joint Attention of SD3; text rows come first."""

    def __init__(self, gamma: float, text: int):
        self.gamma, self.text = gamma, text

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, image_rotary_emb=None):
        from diffusers.models.embeddings import apply_rotary_emb

        def heads(x, norm=None):
            x = x.unflatten(-1, (attn.heads, -1))
            return x if norm is None else norm(x)

        q, k, v = heads(attn.to_q(hidden_states), attn.norm_q), heads(attn.to_k(hidden_states), attn.norm_k), heads(attn.to_v(hidden_states))
        if encoder_hidden_states is not None:
            e = encoder_hidden_states
            q = torch.cat([heads(attn.add_q_proj(e), attn.norm_added_q), q], dim=1)
            k = torch.cat([heads(attn.add_k_proj(e), attn.norm_added_k), k], dim=1)
            v = torch.cat([heads(attn.add_v_proj(e)), v], dim=1)
        if image_rotary_emb is not None:
            q = apply_rotary_emb(q, image_rotary_emb, sequence_dim=1)
            k = apply_rotary_emb(k, image_rotary_emb, sequence_dim=1)

        mixed = torch.einsum("bhij,bjhd->bihd", self.logits(q.float(), k.float()).softmax(-1).to(v.dtype), v).flatten(2)

        if encoder_hidden_states is None:
            return mixed
        text, visual = mixed[:, : self.text], mixed[:, self.text :]
        if not attn.context_pre_only:
            text = attn.to_add_out(text)
        return attn.to_out[0](visual), text

    def logits(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """Heads × queries × keys, in the format of q and k."""
        logits = torch.einsum("bihd,bjhd->bhij", q, k) / math.sqrt(q.shape[-1])
        logits[:, :, self.text :, : self.text] *= self.gamma
        return logits


def temper(model: torch.nn.Module, gamma: float, text: int, blocks: str | None = None) -> None:
    """Put Tempered into every attention that sees text, which is all but SD3's attn2, or into those of the blocks "first-last"."""
    attentions = [module for name, module in model.named_modules() if name.endswith(".attn")]  # in forward order
    if blocks:
        first, last = map(int, blocks.split("-"))
        attentions = attentions[first : last + 1]
    for module in attentions:
        module.set_processor(Tempered(gamma, text))


class Watched:
    """A processor whose attention is also formed in float64, densely, and added up."""

    def __init__(self, processor: Tempered):
        self.processor, self.logits = processor, processor.logits
        processor.logits = self.seen

    def seen(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        p = self.logits(q.double(), k.double()).softmax(-1)[0, :, self.processor.text :]  # heads × visual queries × keys
        to_text = p[:, :, : self.processor.text]
        self.share, self.entropy, self.map = to_text.sum(-1).mean(-1), -torch.xlogy(p, p).sum(-1).mean(-1), to_text.mean(0)
        return self.logits(q, k)


def rows(t: torch.Tensor) -> torch.Tensor:
    """A batch of one as a matrix."""
    return t.detach().float().reshape(-1, t.shape[-1]).clone()


@contextlib.contextmanager
def recorded(model: torch.nn.Module, names: list[str]):
    """Outputs of the named modules while the context lasts, under the names that internal/trace documents."""
    seen = {}

    def keep(name, out):
        if not isinstance(out, tuple):
            seen[name] = rows(out)
        elif name.startswith("single_"):
            seen[name] = rows(torch.cat(out, dim=1))
        else:
            visual, text = out if name.endswith(".attn") else out[::-1]
            seen[f"{name}.visual"] = rows(visual)
            if text is not None:
                seen[f"{name}.text"] = rows(text)

    modules = dict(model.named_modules())
    hooks = [modules[n].register_forward_hook(lambda _module, _args, out, n=n: keep(n, out)) for n in names]
    yield seen
    for hook in hooks:
        hook.remove()


def save(path: pathlib.Path, tensors: dict, **told) -> None:
    """Write one case: tensors, and all else as JSON under "golden" in the file's metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: t.contiguous() for name, t in tensors.items()}
    save_file(tensors, path, {"golden": json.dumps({"versions": versions(), **told}, separators=(",", ":"))})
    path.chmod(0o644)
    print(f"{path}: {path.stat().st_size:,} bytes, {len(tensors)} tensors")
