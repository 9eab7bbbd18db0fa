"""Goldens of LoRAs in every trainer's spelling: one evaluation of a tiny model whose weights are W + scale·B·A.

    python scripts/golden/lora.py            writes internal/lora/testdata/{flux,sd3,clip,t5}*.safetensors

Adapters need no files: their values are the formula of common.py, as the models' weights are. What a name adapts is said
here by a table of the authors' modules that nothing else uses; diffusers' own loaders are held to it wherever they read
the dialect.
"""

import json
import pathlib
import tempfile

import torch
from denoisers import FLUX, SD3, flux_forward, inputs, sd3_forward
from diffusers import FluxPipeline, FluxTransformer2DModel, SD3Transformer2DModel
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from diffusers.utils import logging
from encoders import CLIP, T5, clip_forward, clip_runs, prompt, t5_forward, t5_model
from encoders_common import fill as fill_encoder
from encoders_common import plan as plan_encoder
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from common import REPOSITORY, drawn, fill, plan, rows, save

RUN = dict(name="", gamma=1.0, sigma=0.75, guidance=2.5, text=6, height=3, width=2)
SUFFIXES = {"peft": (".lora_A.weight", ".lora_B.weight"), "kohya": (".lora_down.weight", ".lora_up.weight"), "xlabs": (".down.weight", ".up.weight"),
            "named": (".lora_A.default_0.weight", ".lora_B.default_0.weight"), "old": ("_lora.down.weight", "_lora.up.weight"),
            "older": (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight")}  # fmt: skip


def flux_modules(config: dict) -> dict[str, list[str]]:
    """BFL's names of FLUX.1's layers, and diffusers' names of their rows."""
    t = "time_text_embed."
    known = {"img_in": ["x_embedder"], "txt_in": ["context_embedder"], "final_layer.adaLN_modulation.1": ["swap norm_out.linear"],
             "final_layer.linear": ["proj_out"]}  # fmt: skip
    for theirs, ours in (("time_in", "timestep_embedder"), ("vector_in", "text_embedder"), ("guidance_in", "guidance_embedder")):
        known |= {f"{theirs}.in_layer": [f"{t}{ours}.linear_1"], f"{theirs}.out_layer": [f"{t}{ours}.linear_2"]}
    for i in range(config["num_layers"]):
        d, c = f"double_blocks.{i}.", f"transformer_blocks.{i}."
        known |= {f"{d}img_attn.qkv": [f"{c}attn.to_{x}" for x in "qkv"], f"{d}txt_attn.qkv": [f"{c}attn.add_{x}_proj" for x in "qkv"]}
        known |= {f"{d}img_attn.proj": [f"{c}attn.to_out.0"], f"{d}txt_attn.proj": [f"{c}attn.to_add_out"]}
        for theirs, norm, ff in (("img", "norm1", "ff"), ("txt", "norm1_context", "ff_context")):
            known |= {f"{d}{theirs}_mlp.0": [f"{c}{ff}.net.0.proj"], f"{d}{theirs}_mlp.2": [f"{c}{ff}.net.2"]}
            known |= {f"{d}{theirs}_mod.lin": [f"{c}{norm}.linear"]}
    for i in range(config["num_single_layers"]):
        s, c = f"single_blocks.{i}.", f"single_transformer_blocks.{i}."
        known |= {f"{s}linear1": [f"{c}attn.to_{x}" for x in "qkv"] + [f"{c}proj_mlp"], f"{s}linear2": [f"{c}proj_out"]}
        known |= {f"{s}modulation.lin": [f"{c}norm.linear"]}
    return known


def xlabs_modules(config: dict) -> dict[str, list[str]]:
    known = {}
    for i in range(config["num_layers"]):
        d, c = f"double_blocks.{i}.processor.", f"transformer_blocks.{i}.attn."
        known |= {f"{d}qkv_lora1": [f"{c}to_{x}" for x in "qkv"], f"{d}qkv_lora2": [f"{c}add_{x}_proj" for x in "qkv"]}
        known |= {f"{d}proj_lora1": [f"{c}to_out.0"], f"{d}proj_lora2": [f"{c}to_add_out"]}
    for i in range(config["num_single_layers"]):
        s, c = f"single_blocks.{i}.processor.", f"single_transformer_blocks.{i}."
        known |= {f"{s}qkv_lora": [f"{c}attn.to_{x}" for x in "qkv"], f"{s}proj_lora": [f"{c}proj_out"]}
    return known


def sd3_modules(config: dict) -> dict[str, list[str]]:
    """Stability's names of SD3.5's layers, and diffusers' names of their rows."""
    t, last = "time_text_embed.", config["num_layers"] - 1
    known = {"x_embedder.proj": ["pos_embed.proj"], "context_embedder": ["context_embedder"], "final_layer.linear": ["proj_out"],
             "final_layer.adaLN_modulation.1": ["swap norm_out.linear"]}  # fmt: skip
    for theirs, ours in (("t_embedder", "timestep_embedder"), ("y_embedder", "text_embedder")):
        known |= {f"{theirs}.mlp.0": [f"{t}{ours}.linear_1"], f"{theirs}.mlp.2": [f"{t}{ours}.linear_2"]}
    for i in range(last + 1):
        j, c = f"joint_blocks.{i}.", f"transformer_blocks.{i}."
        known |= {f"{j}x_block.attn.qkv": [f"{c}attn.to_{x}" for x in "qkv"], f"{j}context_block.attn.qkv": [f"{c}attn.add_{x}_proj" for x in "qkv"]}
        known |= {f"{j}x_block.adaLN_modulation.1": [f"{c}norm1.linear"], f"{j}x_block.attn.proj": [f"{c}attn.to_out.0"]}
        known |= {f"{j}x_block.mlp.fc1": [f"{c}ff.net.0.proj"], f"{j}x_block.mlp.fc2": [f"{c}ff.net.2"]}
        known |= {f"{j}context_block.adaLN_modulation.1": [("swap " if i == last else "") + f"{c}norm1_context.linear"]}
        if i < last:
            known |= {f"{j}context_block.mlp.fc1": [f"{c}ff_context.net.0.proj"], f"{j}context_block.mlp.fc2": [f"{c}ff_context.net.2"]}
            known |= {f"{j}context_block.attn.proj": [f"{c}attn.to_add_out"]}
        if i in config["dual_attention_layers"]:
            known |= {f"{j}x_block.attn2.qkv": [f"{c}attn2.to_{x}" for x in "qkv"], f"{j}x_block.attn2.proj": [f"{c}attn2.to_out.0"]}
    return known


def split(authors: dict[str, list[str]]) -> dict[str, list[str]]:
    """The authors' modules as the Open Model Initiative's format has them, which OneTrainer writes: fused ones part by part."""
    parts = {f"{name}.{i}": [p] for name, fused in authors.items() if len(fused) > 1 for i, p in enumerate(fused)}
    return {name: whole for name, whole in authors.items() if len(whole) == 1} | parts


def canonical(model) -> dict[str, list[str]]:
    kinds = (torch.nn.Linear, torch.nn.Conv2d)
    return {name: [name] for name, m in model.named_modules() if isinstance(m, kinds)}


def exchanged(w: torch.Tensor) -> torch.Tensor:
    return torch.cat(w.chunk(2)[::-1])


class Adapter:
    """A LoRA file: what its tensors are called, how they are spread, and what they add to a model's weights.

    peft is a PEFT configuration that scales it; told is where that stands: before its keys in the file's metadata, or None
    for an adapter_config.json of its own."""

    def __init__(self, name, modules: dict[str, list[str]], spell, suffixes: str = "peft", alpha=False, first=1, peft=None, told: str | None = ""):
        self.name, self.modules, self.suffixes, self.alpha, self.first = name, modules, SUFFIXES[suffixes], alpha, first
        self.spell, self.peft, self.told = spell, peft, told
        self.tensors, self.deltas, self.values, self.ranks = [], {}, {}, {}

    def fit(self, state: dict) -> "Adapter":
        """Choose ranks, alphas and shapes for the weights of a model."""
        for i, (module, parts) in enumerate(sorted(self.modules.items())):
            whole = torch.cat([state[p.removeprefix("swap ") + ".weight"] for p in parts])
            r, conv = self.first + i % 4, whole.dim() == 4
            self.ranks[module] = r
            a = self.draw(self.spell(module) + self.suffixes[0], [r, *whole.shape[1:]], 0.25)
            b = self.draw(self.spell(module) + self.suffixes[1], [len(whole), r] + [1, 1] * conv, 0.25)
            scale = self.scale(module)
            if self.alpha:
                alpha = (1.5, 4.0, 0.5)[i % 3]
                self.draw(self.spell(module) + ".alpha", [] if i % 2 else [1], 0.0, alpha)
                scale = alpha / r
            self.add(parts, scale * (b.flatten(1) @ a.flatten(1)).reshape(whole.shape), state)
        return self

    def scale(self, module: str) -> float:
        """PEFT's, for patterns that are ends of names."""
        if not self.peft:
            return 1.0
        patterns = self.peft.get("alpha_pattern", {}).items()
        alpha = next((v for k, v in patterns if module == k or module.endswith("." + k)), self.peft["lora_alpha"])
        return alpha / (self.ranks[module] ** 0.5 if self.peft.get("use_rslora") else self.ranks[module])

    def draw(self, name: str, shape: list[int], scale: float, centre: float = 0.0) -> torch.Tensor:
        self.tensors.append(dict(name=name, shape=shape, scale=scale, centre=centre))
        values = drawn(name, torch.Size(shape).numel()) * scale + centre
        self.values[name] = torch.from_numpy(values).float().reshape(shape)
        return self.values[name]

    def add(self, parts: list[str], delta: torch.Tensor, state: dict) -> None:
        sizes = [len(state[p.removeprefix("swap ") + ".weight"]) for p in parts]
        for part, rows_of in zip(parts, delta.split(sizes)):
            if part.startswith("swap "):
                part, rows_of = part[5:], exchanged(rows_of)
            assert part not in self.deltas
            self.deltas[part] = rows_of

    def config(self) -> dict:
        """What PEFT would write of it."""
        return dict(peft_type="LORA", r=1, rank_pattern={"^" + k: r for k, r in self.ranks.items()}, target_modules=sorted(self.modules), **self.peft)

    def metadata(self) -> dict[str, str]:
        if not self.peft or self.told is None:
            return {}
        return {LORA_ADAPTER_METADATA_KEY: json.dumps({self.told + k: v for k, v in self.config().items()}, sort_keys=True)}

    def run(self) -> dict:
        """What the Go tests have to know; of a configuration only what scales."""
        short = {k: v for k, v in (self.peft or {}).items()}
        flat = {LORA_ADAPTER_METADATA_KEY: json.dumps({self.told + k: v for k, v in short.items()}, sort_keys=True)} if self.metadata() else {}
        return dict(adapter=self.tensors, metadata=flat, peft=dict(peft_type="LORA", **short) if self.peft and self.told is None else None)


def with_deltas(model, a: Adapter, evaluate) -> dict:
    """What evaluate finds with the adapter, after which the weights are the old ones."""
    state = dict(model.named_parameters())
    before = {p: state[p + ".weight"].clone() for p in a.deltas}
    for part, delta in a.deltas.items():
        state[part + ".weight"] += delta
    out = evaluate()
    for part, old in before.items():
        state[part + ".weight"].copy_(old)
    return out


def error(got: torch.Tensor, want: torch.Tensor) -> float:
    return ((got - want).norm() / want.norm()).item()


def underscored(prefix: str):
    return lambda module: prefix + module.replace(".", "_")


def dotted(prefix: str):
    return lambda module: prefix + module


def transformer_adapters(model, authors: dict) -> list[Adapter]:
    ours = canonical(model)
    some = dict(lora_alpha=6.0, alpha_pattern={"to_k": 3.0, "transformer_blocks.1.attn.to_v": 9.0})
    stable = dict(lora_alpha=6.0, use_rslora=True, alpha_pattern={"attn.to_q": 2.0})
    matrices = {k: v for k, v in ours.items() if k != "pos_embed.proj"}  # diffusers guesses the ranks of convolutions wrong
    return [
        Adapter("diffusers", matrices, dotted("transformer."), peft=some, told="transformer."),
        Adapter("diffusers-alpha", ours, lambda m: "transformer." + m.replace(".to_out.0", ".to_out"), alpha=True),
        Adapter("adapter", matrices, dotted(""), peft=some),
        Adapter("peft", ours, dotted("base_model.model."), "named", peft=stable, told=None),
        Adapter("ai-toolkit", matrices, dotted("transformer."), first=3),
        Adapter("onetrainer", ours, underscored("lora_transformer_"), "kohya", alpha=True),
        Adapter("onetrainer-omi", split(authors), lambda m: "transformer." + {"img_in": "img_in.proj"}.get(m, m), "kohya", alpha=True),
        Adapter("kohya", authors, underscored("lora_unet_"), "kohya", alpha=True),
        Adapter("comfyui", authors, dotted("diffusion_model."), "kohya", alpha=True, first=2),
        Adapter("comfyui-ab", authors, dotted("diffusion_model.")),
        Adapter("peft-original", authors, dotted("base_model.model.")),
        Adapter("original", authors, dotted("")),
    ]


def transformer_golden(family: str, model, weights: list[dict], adapters: list[Adapter], forward) -> None:
    config = {key: value for key, value in model.config.items() if key != "_use_default_values"}
    columns = config["in_channels"] if family == "flux" else config["in_channels"] * config["patch_size"] ** 2
    given = inputs(RUN | dict(name="lora"), columns, config)
    evaluate = lambda: rows(forward(model, RUN, given))  # noqa: E731
    plain, tensors, runs = evaluate(), {}, []
    for a in adapters:
        out = with_deltas(model, a.fit(model.state_dict()), evaluate)
        assert error(plain, out) > 0.05, f"{a.name} moves the output by {error(plain, out)} only"
        tensors |= {f"{a.name}/{n}": t.clone() for n, t in (given | {"proj_out": out}).items()}
        runs.append(RUN | a.run() | dict(name=a.name))
        print(f"{family} {a.name}: moves {error(plain, out):.2f}, {theirs(model, a, evaluate, out)}")
    assert torch.equal(plain, evaluate())
    save(REPOSITORY / f"internal/lora/testdata/{family}.safetensors", tensors, config=config, weights=weights, runs=runs)


def theirs(model, a: Adapter, evaluate, want: torch.Tensor) -> str:
    """Hold diffusers' own loading of the file against want, where it reads the dialect without defects."""
    if a.name not in ("diffusers", "ai-toolkit", "adapter", "xlabs"):
        return "of W + scale·B·A alone"
    values = a.values
    if a.name == "xlabs":
        values = FluxPipeline.lora_state_dict(values)
        assert not isinstance(values, tuple)
    with tempfile.TemporaryDirectory() as folder:
        save_file({k: v.clone().contiguous() for k, v in values.items()}, pathlib.Path(folder, "x.safetensors"), a.metadata() or None)
        model.load_lora_adapter(folder, weight_name="x.safetensors", prefix=None if a.name == "adapter" else "transformer", adapter_name="x")
    found = error(evaluate(), want)
    model.unload_lora()
    assert found < 1e-5, f"diffusers differs by {found}"
    return f"diffusers differs by {found:.1e}"


def hold_to_kohya() -> None:
    """diffusers' converter of kohya's FLUX files, at true width, against the table. It discards alphas outside blocks, and
    leaves those modules without their component, so only blocks are asked."""
    h, m = 3072, 12288
    known = {k: v for k, v in flux_modules(dict(num_layers=1, num_single_layers=1)).items() if "blocks" in k}
    rows_of = {name: {"proj_mlp": m, "net.0.proj": m}.get(name, h) for name in ("proj_mlp", "net.0.proj")}
    file, want, g = {}, {}, torch.Generator().manual_seed(0)
    for module, parts in known.items():
        sizes = []
        for p in parts:
            six = 6 if "norm1" in p else 3 if ".norm.linear" in p else 1
            sizes.append(next((n for end, n in rows_of.items() if p.endswith(end)), h * six))
        cols = m if module.endswith("mlp.2") else h + m if module.endswith("linear2") else h
        a, b = torch.randn(2, cols, generator=g), torch.randn(sum(sizes), 2, generator=g)
        name = underscored("lora_unet_")(module)
        file |= {name + ".lora_down.weight": a, name + ".lora_up.weight": b, name + ".alpha": torch.tensor(3.0)}
        want |= {p: 1.5 * part @ a[:, :7] for p, part in zip(parts, b.split(sizes))}
    got = FluxPipeline.lora_state_dict(file)
    got = got[0] if isinstance(got, tuple) else got
    for p, delta in want.items():
        a, b = got.pop(f"transformer.{p}.lora_A.weight"), got.pop(f"transformer.{p}.lora_B.weight")
        assert torch.allclose(b @ a[:, :7], delta, atol=1e-4), p
    assert not got, list(got)
    print(f"kohya: diffusers' converter agrees with the table in {len(want)} layers of blocks at true width")


def clip_adapters(model, kind: str, number: int, folder: str) -> list[Adapter]:
    ours = {("" if name.startswith("text_") else "text_model.") + name: [name] for name in canonical(model)}
    some = dict(lora_alpha=6.0, alpha_pattern={"q_proj": 3.0})
    layers = {k: v for k, v in ours.items() if "layers" in k}
    old = {q: f"to_{q[0]}" for q in ("q_proj", "k_proj", "v_proj")} | {"out_proj": "to_out"}
    attention = {k: v for k, v in layers.items() if "self_attn" in k}

    def renamed(module: str) -> str:
        head, _, tail = module.rpartition(".")
        return f"{folder}.{head}.{old[tail]}"

    return [
        Adapter("diffusers", layers, dotted(f"{folder}."), peft=some, told=f"{folder}."),
        Adapter("bare", layers, lambda m: f"{folder}." + m.removeprefix("text_model.")),
        Adapter("kohya", ours, underscored(f"lora_te{number}_"), "kohya", alpha=True),
        Adapter("comfyui", ours, dotted(f"text_encoders.{kind}.transformer."), "kohya", alpha=True),
        Adapter("onetrainer-omi", ours, dotted(f"{kind}."), "kohya", alpha=True),
        Adapter("old", attention, renamed, "old"),
        Adapter("older", {k: v for k, v in layers.items() if "mlp" in k}, dotted(f"{folder}."), "older"),
    ] + ([Adapter("kohya-one", layers, underscored("lora_te_"), "kohya", alpha=True)] if number == 1 else [])


def t5_adapters(model) -> list[Adapter]:
    ours = canonical(model)
    some = dict(lora_alpha=6.0, alpha_pattern={"DenseReluDense.wo": 3.0})
    return [
        Adapter("diffusers", ours, dotted("text_encoder_2."), peft=some, told="text_encoder_2."),
        Adapter("kohya", ours, underscored("lora_te3_"), "kohya", alpha=True),
        Adapter("onetrainer", ours, underscored("lora_te2_"), "kohya", alpha=True),
        Adapter("onetrainer-omi", ours, dotted("t5."), "kohya", alpha=True),
        Adapter("comfyui", ours, dotted("text_encoders.t5xxl.transformer.")),
    ]


def encoder_golden(name: str, config: dict, plans: list[dict], model, adapters: list[Adapter], evaluate, ids: list[int]) -> None:
    plain, tensors, runs = evaluate(), {}, []
    for a in adapters:
        out = with_deltas(model, a.fit(model.state_dict()), evaluate)
        moved = max(error(plain[n], t) for n, t in out.items())
        assert moved > 0.05, f"{a.name} moves the output by {moved} only"
        tensors |= {f"{a.name}/output/{n}": t for n, t in out.items()}
        runs.append(a.run() | dict(name=a.name, ids=ids))
        print(f"{name} {a.name}: moves {moved:.2f}")
    save(REPOSITORY / f"internal/lora/testdata/{name}.safetensors", tensors, config=config, weights=plans, runs=runs)


def clip_golden(name: str, case: str, adapters: tuple) -> None:
    make, config = CLIP[case]
    model = make(CLIPTextConfig(**config)).eval()
    state = {("text_model." if make is CLIPTextModel else "") + n: t for n, t in model.state_dict().items()}
    plans = plan_encoder(state)
    fill_encoder(state, plans)
    ids = clip_runs(config["max_position_embeddings"])["other-padding"]
    told = model.config.to_dict() | {"architectures": [make.__name__]}
    encoder_golden(name, told, plans, model, clip_adapters(model, *adapters), lambda: clip_forward(model, ids), ids)


def hold_to_peft() -> None:
    """PEFT's own maths on T5, which diffusers loads no adapters into, stabilised ranks included."""
    model, _ = t5_model(T5["gated"], {})
    ids = prompt(9, 60, 1)
    modules = {k: v for k, v in canonical(model).items() if k.endswith((".q", ".wo"))}
    scaled = dict(lora_alpha=6.0, use_rslora=True, alpha_pattern={"wo": 2.0})
    a = Adapter("x", modules, dotted("base_model.model."), peft=scaled).fit(model.state_dict())
    want = with_deltas(model, a, lambda: t5_forward(model, ids))["rows"]
    peft = get_peft_model(model, LoraConfig(**a.config()))
    state = peft.state_dict()
    for name, v in a.values.items():
        state[name.replace(".weight", ".default.weight")].copy_(v)
    found = error(rows(peft(torch.tensor([ids]))[0]), want)
    assert found < 1e-5, found
    print(f"PEFT on T5 differs by {found:.1e}")


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    hold_to_kohya()
    hold_to_peft()
    for family, make, config, modules, forward in (
        ("flux", FluxTransformer2DModel, FLUX["dev"], flux_modules, flux_forward),
        ("sd3", SD3Transformer2DModel, SD3["medium"], sd3_modules, sd3_forward),
    ):
        model = make(**config).eval()
        weights = plan(model)
        fill(model, weights)
        adapters = transformer_adapters(model, modules(config))
        if family == "flux":
            adapters.append(Adapter("xlabs", xlabs_modules(config), dotted(""), "xlabs"))
            adapters.append(Adapter("xlabs-prefixed", xlabs_modules(config), dotted("diffusion_model."), "xlabs"))
        transformer_golden(family, model, weights, adapters, forward)
    clip_golden("clip", "legacy", ("clip_l", 1, "text_encoder"))
    clip_golden("clip_g", "projected", ("clip_g", 2, "text_encoder_2"))
    model, plans = t5_model(T5["gated"], {})
    ids = [*prompt(9, 60, 1), 1, 0, 0]
    encoder_golden("t5", model.config.to_dict(), plans, model, t5_adapters(model), lambda: t5_forward(model, ids), ids)


if __name__ == "__main__":
    main()
