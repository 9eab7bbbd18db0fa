"""Goldens of the FLUX and SD3 transformers: tiny models, every block's output, plain and with TACA.

    python scripts/golden/denoisers.py            writes internal/model/{flux,sd3}/testdata
    python scripts/golden/denoisers.py DIR        also writes each model as a diffusers folder under DIR
"""

import copy
import pathlib
import sys

import torch
from diffusers import FluxTransformer2DModel, SD3Transformer2DModel
from diffusers.utils import logging

from common import REPOSITORY, fill, plan, recorded, rows, save, temper

FLUX = {
    "dev": dict(
        in_channels=16, num_layers=2, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=24, pooled_projection_dim=12, guidance_embeds=True, axes_dims_rope=[4, 6, 6],
    ),
    "schnell": dict(
        in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=64, num_attention_heads=2,
        joint_attention_dim=40, pooled_projection_dim=20, guidance_embeds=False, axes_dims_rope=[16, 24, 24],
    ),
    "head128": dict(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=128, num_attention_heads=1,
        joint_attention_dim=24, pooled_projection_dim=12, guidance_embeds=True, axes_dims_rope=[16, 56, 56],
    ),
}  # fmt: skip

SD3 = {
    "medium": dict(
        in_channels=16, num_layers=3, attention_head_dim=16, num_attention_heads=2, joint_attention_dim=24,
        caption_projection_dim=32, pooled_projection_dim=12, pos_embed_max_size=8, dual_attention_layers=[0, 1], qk_norm="rms_norm",
    ),
    "large": dict(
        in_channels=16, num_layers=2, attention_head_dim=64, num_attention_heads=2, joint_attention_dim=40,
        caption_projection_dim=128, pooled_projection_dim=20, pos_embed_max_size=6, dual_attention_layers=[], qk_norm="rms_norm",
    ),
    # SD3.0 has no norm; here its last block is dual too, which no published model has.
    "unnormed": dict(
        in_channels=4, out_channels=None, num_layers=2, attention_head_dim=24, num_attention_heads=2, joint_attention_dim=24,
        caption_projection_dim=48, pooled_projection_dim=12, pos_embed_max_size=7, dual_attention_layers=[1], qk_norm=None,
    ),
}  # fmt: skip

# Layers whose outputs are small enough to show the eps of the norm after them.
FAINT = {
    "schnell": ("x_embedder.", "transformer_blocks.0.attn.add_k_proj."),
    "large": ("context_embedder.", "transformer_blocks.0.attn.to_k."),
}

# Where bf16 is true, timestep and guidance survive the reference's rounding to bf16, so that its error is arithmetic alone.
RUNS = [
    dict(name="plain", gamma=1.0, sigma=1.0, guidance=4.0, text=7, height=2, width=3, bf16=True),
    dict(name="gamma1.2", gamma=1.2, sigma=0.9371, guidance=3.5, text=5, height=3, width=2, bf16=False),
    dict(name="gamma2", gamma=2.0, sigma=0.5, guidance=1.0, text=9, height=4, width=3, bf16=True),
]

# Gamma in some blocks only, by their number in forward order, in files of their own.
BLOCKS = [dict(name="blocks", gamma=2.0, blocks="1-2", sigma=0.75, guidance=2.5, text=6, height=3, width=3, bf16=False)]


def inputs(run: dict, columns: int, config: dict) -> dict:
    """Random tokens and conditioning, in bf16 values so that a bf16 run begins with the same."""
    generator = torch.Generator().manual_seed(len(run["name"]) * 1000 + run["text"])

    def normal(*shape):
        return torch.randn(shape, generator=generator).bfloat16().float()

    return {
        "x": normal(run["height"] * run["width"], columns),
        "text": normal(run["text"], config["joint_attention_dim"]),
        "pooled": normal(1, config["pooled_projection_dim"]),
    }


def flux_forward(model, run: dict, given: dict) -> torch.Tensor:
    """One evaluation as FluxPipeline makes it."""
    dtype = model.dtype
    timestep = (torch.tensor([run["sigma"]]) * 1000).to(dtype) / 1000
    grid = torch.zeros(run["height"], run["width"], 3)
    grid[..., 1] += torch.arange(run["height"])[:, None]
    grid[..., 2] += torch.arange(run["width"])[None, :]
    return model(
        hidden_states=given["x"][None].to(dtype),
        encoder_hidden_states=given["text"][None].to(dtype),
        pooled_projections=given["pooled"].to(dtype),
        timestep=timestep,
        guidance=torch.tensor([run["guidance"]]) if model.config.guidance_embeds else None,
        img_ids=grid.reshape(-1, 3).to(dtype),
        txt_ids=torch.zeros(run["text"], 3, dtype=dtype),
        return_dict=False,
    )[0]


def sd3_forward(model, run: dict, given: dict) -> torch.Tensor:
    """One evaluation as StableDiffusion3Pipeline makes it. Rows of x are patches in the order (y, x, channel)."""
    h, w, p, c = run["height"], run["width"], model.config.patch_size, model.config.in_channels
    latents = given["x"].reshape(h, w, p, p, c).permute(4, 0, 2, 1, 3).reshape(1, c, h * p, w * p)
    out = model(
        hidden_states=latents.to(model.dtype),
        encoder_hidden_states=given["text"][None].to(model.dtype),
        pooled_projections=given["pooled"].to(model.dtype),
        timestep=torch.tensor([run["sigma"]]) * 1000,
        return_dict=False,
    )[0]
    return out.reshape(c, h, p, w, p).permute(1, 3, 2, 4, 0).reshape(h * w, p * p * c)


def flux_names(model) -> list[str]:
    names = ["x_embedder", "time_text_embed", "context_embedder"]
    for i in range(len(model.transformer_blocks)):
        names += [f"transformer_blocks.{i}{part}" for part in (".attn", ".ff", ".ff_context", "")]
    for i in range(len(model.single_transformer_blocks)):
        names += [f"single_transformer_blocks.{i}{part}" for part in (".attn", ".act_mlp", "")]
    return names + ["norm_out", "proj_out"]


def sd3_names(model) -> list[str]:
    names = ["pos_embed", "time_text_embed", "context_embedder"]
    for i, block in enumerate(model.transformer_blocks):
        parts = [".attn", ".ff", ""] + [".attn2"] * block.use_dual_attention + [".ff_context"] * (not block.context_pre_only)
        names += [f"transformer_blocks.{i}{part}" for part in parts]
    return names + ["norm_out", "proj_out"]


def error(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got - want).norm() / want.norm()).item()


def golden(path: pathlib.Path, model, weights: list[dict], runs: list[dict]) -> None:
    """Evaluate model in all runs and save what was seen."""
    flux = isinstance(model, FluxTransformer2DModel)
    forward, names = (flux_forward, flux_names(model)) if flux else (sd3_forward, sd3_names(model))
    columns = model.config.in_channels if flux else model.config.in_channels * model.config.patch_size**2
    usual, tensors = model.attn_processors, {}
    for run in runs:
        given = inputs(run, columns, model.config)
        model.set_attn_processor(dict(usual))
        plain = rows(forward(model, run, given))
        if run["gamma"] != 1:
            temper(model, 1.0, run["text"])
            assert error(rows(forward(model, run, given)), plain) < 1e-5, "Tempered is not the reference's attention"
            temper(model, run["gamma"], run["text"], run.get("blocks"))

        with recorded(model, names) as seen:
            out = rows(forward(model, run, given))
        # The last block's text goes nowhere.
        if flux:
            last = f"single_transformer_blocks.{model.config.num_single_layers - 1}"
            seen |= {last + part: seen[last + part][run["text"] :] for part in (".attn", ".act_mlp", "")}
        else:
            del seen[f"transformer_blocks.{model.config.num_layers - 1}.attn.text"]
        told = report(seen, out, plain, run)
        if run["bf16"]:
            seen["bf16"] = rows(forward(copy.deepcopy(model).to(torch.bfloat16), run, given))
            told += f", naive bf16 error {error(seen['bf16'], out):.4f}"
        tensors |= {f"{run['name']}/{name}": t for name, t in (given | seen).items()}
        print(f"{path.stem} {run['name']}: {told}")
    model.set_attn_processor(dict(usual))
    config = {key: value for key, value in model.config.items() if key != "_use_default_values"}
    save(path, tensors, config=config, weights=weights, runs=runs)


def report(seen: dict, out: torch.Tensor, plain: torch.Tensor, run: dict) -> str:
    """Refuse goldens that prove little: activations that vanish or explode, gamma that does not matter."""
    sizes = [t.pow(2).mean().sqrt().item() for t in seen.values()]
    moved = error(out, plain)
    assert torch.equal(seen["proj_out"], out) and 0.1 < sorted(sizes)[1] and max(sizes) < 10, sizes  # one may be faint
    assert moved >= 0.05 * (run["gamma"] - 1), f"gamma {run['gamma']} moves the output by {moved} only"
    return f"gamma moves {moved:.3f}, rms {min(sizes):.2f} to {max(sizes):.2f}"


def models():
    """Every case's family, name, model and the plan of its weights."""
    for family, make, cases in (("flux", FluxTransformer2DModel, FLUX), ("sd3", SD3Transformer2DModel, SD3)):
        for case, config in cases.items():
            model = make(**config).eval()
            weights = plan(model, FAINT.get(case, ()))
            fill(model, weights)
            yield family, case, model, weights


def files(case: str) -> list[tuple[str, list[dict]]]:
    """The golden files of a case and the runs in each."""
    return [(case, RUNS)] + ([(f"{case}-blocks", BLOCKS)] if case in ("dev", "medium") else [])


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(1)  # for the same bits on every machine of a kind
    for family, case, model, weights in models():
        for name, runs in files(case):
            golden(REPOSITORY / "internal/model" / family / "testdata" / f"{name}.safetensors", model, weights, runs)
        if len(sys.argv) > 1:
            model.to(torch.bfloat16).save_pretrained(pathlib.Path(sys.argv[1], f"{family}-{case}", "transformer"))


if __name__ == "__main__":
    main()
