"""Goldens of the text encoders: tiny CLIP and T5 models, every module's output.

python scripts/golden/encoders.py            writes internal/model/{clip,t5}/testdata
"""

import copy
import json
import pathlib

import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, T5Config, T5EncoderModel
from transformers.utils import logging

from common import REPOSITORY, rows
from encoders_common import fill, golden, hook, plan, testdata

END, PAD = 98, 99

# CLIP-L as FLUX has it, with the config's wrong end token; and one like CLIP-G, which projects.
CLIP = {
    "legacy": (CLIPTextModel, dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=3, num_attention_heads=2, hidden_act="quick_gelu",
        vocab_size=100, max_position_embeddings=77, eos_token_id=2,
    )),
    "projected": (CLIPTextModelWithProjection, dict(
        hidden_size=48, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, hidden_act="gelu",
        vocab_size=100, max_position_embeddings=24, eos_token_id=END, projection_dim=20, layer_norm_eps=1e-3,
    )),
}  # fmt: skip

T5 = {
    "gated": dict(d_model=32, d_kv=6, num_heads=4, d_ff=48, num_layers=2, vocab_size=60, feed_forward_proj="gated-gelu"),
    # Some columns of the residual grow to 10⁵ and more, as in T5-XXL, where a bf16 sum loses all else.
    "massive": dict(
        d_model=24, d_kv=8, num_heads=3, d_ff=32, num_layers=4, vocab_size=40, feed_forward_proj="gated-gelu",
        relative_attention_num_buckets=10, relative_attention_max_distance=19,
    ),
}  # fmt: skip
MASSIVE = {"encoder.block.0.layer.1.DenseReluDense.wo.weight": 2.0**15, "encoder.block.2.layer.1.DenseReluDense.wo.weight": 2.0**17}


def prompt(length: int, vocabulary: int, seed: int) -> list[int]:
    """Random tokens that are neither END nor PAD, and no 2, which the legacy rule must not take for the end."""
    return torch.randint(3, vocabulary, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def clip_runs(length: int) -> dict[str, list[int]]:
    """Prompts that tell the rules of the pooled position apart, padded with the end token, with another, or not at all."""
    words = prompt(length, 97, length)
    return {
        "padded": [*words[:9], 2, *words[9:12], *[END] * (length - 13)],
        "other-padding": [*words[:5], END, *[PAD] * 6],
        "no-end": [2, *words[:10]],
    }


def clip_forward(model, ids: list[int]) -> dict:
    out = model(torch.tensor([ids]), output_hidden_states=True)
    found = {"penultimate": rows(out.hidden_states[-2]), "last": rows(out.last_hidden_state)}
    if isinstance(model, CLIPTextModel):
        return found | {"pooled": rows(out.pooler_output)}
    pooled = model.text_model(torch.tensor([ids])).pooler_output
    return found | {"pooled": rows(pooled), "projected": rows(out.text_embeds)}


def clip_golden(path: pathlib.Path, make, config: dict) -> None:
    """Run a CLIP model on all prompts and save what was seen."""
    model = make(CLIPTextConfig(**config)).eval()
    bare = isinstance(model, CLIPTextModel)
    text, prefix = (model, "text_model.") if bare else (model.text_model, "")
    state = {prefix + name: t for name, t in model.state_dict().items()}
    plans = plan(state)
    fill(state, plans)
    low, seen = copy.deepcopy(model).to(torch.bfloat16), {}

    hook(text.embeddings, "text_model.embeddings", seen, rows)
    for i, layer in enumerate(text.encoder.layers):
        for part, module in ((".self_attn", layer.self_attn), (".mlp", layer.mlp), ("", layer)):
            hook(module, f"text_model.encoder.layers.{i}{part}", seen, rows)
    hook(text.final_layer_norm, "text_model.final_layer_norm", seen, rows)
    if not bare:
        hook(model.text_projection, "text_projection", seen, rows)

    runs = []
    for name, ids in clip_runs(config["max_position_embeddings"]).items():
        out = clip_forward(model, ids)
        last = config["num_hidden_layers"] - 1
        assert torch.equal(out["penultimate"], seen[f"text_model.encoder.layers.{last - 1}"])
        told = dict(ids=ids, end=(seen["text_model.final_layer_norm"] == out["pooled"]).all(-1).nonzero()[0].item())
        runs.append(dict(name=name, told=told, seen=dict(seen), output=out, bf16=clip_forward(low, ids)))
    golden(path, model.config.to_dict() | {"architectures": [make.__name__]}, plans, runs)


def t5_forward(model, ids: list[int]) -> dict:
    return {"rows": rows(model(torch.tensor([ids]))[0])}


def offsets(table: torch.Tensor) -> torch.Tensor:
    """Biases of all offsets from 1 - n to n - 1, out of those of all pairs (query, key, head)."""
    if table.dim() == 4:
        table = table[0]
    return torch.cat([table[:, 0].flip(0)[:-1], table[0]])


def t5_model(config: dict, big: dict[str, float]) -> tuple:
    model = T5EncoderModel(T5Config(**config)).eval()
    state = {name: t for name, t in model.state_dict().items() if name != "encoder.embed_tokens.weight"}
    plans = plan(state)
    for p in plans:
        p["scale"] *= big.get(p["name"], 1)
    fill(state, plans)
    assert model.encoder.embed_tokens.weight is model.shared.weight
    return model, plans


def t5_record(model) -> dict:
    """What model's modules return from now on."""
    seen = {}
    hook(model.encoder.embed_tokens, "encoder.embed_tokens", seen, rows)
    for i, block in enumerate(model.encoder.block):
        for part in ("layer.0.SelfAttention", "layer.1.DenseReluDense"):
            hook(block.get_submodule(part), f"encoder.block.{i}.{part}", seen, rows)
        hook(block, f"encoder.block.{i}", seen, rows)
    hook(model.encoder.final_layer_norm, "encoder.final_layer_norm", seen, rows)
    bias = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"
    hook(model.get_submodule(bias), bias, seen, offsets)
    return seen


def t5_golden(path: pathlib.Path, config: dict, lengths: list[int], big: dict[str, float]) -> None:
    """Run a T5 model on prompts of the given lengths and save what was seen.

    The named tensors are made so much bigger; then what was seen in bf16 is saved, too."""
    model, plans = t5_model(config, big)
    low = copy.deepcopy(model).to(torch.bfloat16)
    seen, low_seen = t5_record(model), t5_record(low)

    runs = []
    for n in lengths:
        ids = prompt(n * 2 // 3, config["vocab_size"], n)
        ids += [1] + [0] * (n - len(ids) - 1)
        out, bf16 = t5_forward(model, ids), t5_forward(low, ids)
        runs.append(dict(name=f"length{n}", told=dict(ids=ids), seen=dict(seen), output=out, bf16=bf16 | (low_seen if big else {})))
        most = max(t.abs().max().item() for t in seen.values())
        assert not big or most > 1e5
        print(f"{path.stem} {n}: largest activation {most:.0f}")
    golden(path, model.config.to_dict(), plans, runs)


def buckets() -> None:
    """The bucket of every offset, for several sizes of the table."""
    from transformers.models.t5.modeling_t5 import T5Attention

    cases = []
    for number, distance, most in ((32, 128, 600), (10, 19, 60), (64, 256, 600), (4, 7, 30), (33, 100, 200), (16, 1000, 1100)):
        offset = torch.arange(-most, most + 1)
        rows = T5Attention._relative_position_bucket(offset, True, number, distance)
        cases.append(dict(buckets=number, distance=distance, first=-most, rows=rows.tolist()))
    path = REPOSITORY / "internal/model/t5/testdata/buckets.json"
    path.write_text(json.dumps(cases, separators=(",", ":")) + "\n")
    path.chmod(0o644)
    print(f"{path.relative_to(REPOSITORY)}: {path.stat().st_size:,} bytes")


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    for case, (make, config) in CLIP.items():
        clip_golden(testdata("clip", case), make, config)
    t5_golden(testdata("t5", "gated"), T5["gated"], [77, 130], {})
    t5_golden(testdata("t5", "massive"), T5["massive"], [40], MASSIVE)
    buckets()


if __name__ == "__main__":
    main()
