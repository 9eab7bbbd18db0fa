"""Goldens of LoRAs on text encoders: what diffusers paints with the tiny pipelines of pipelines.py.

    python scripts/golden/pipelines_lora.py       writes internal/pipeline/testdata/{flux,sd3}/encoders-lora.safetensors

The LoRA is in diffusers' spelling, of the transformer and of all text encoders; diffusers' load_lora_weights reads all of it
but T5's part, which it drops: that is added to T5's weights here. Each case has the parts that it names.
"""

import json
import pathlib
import tempfile

import torch
from diffusers import FluxPipeline, StableDiffusion3Pipeline
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
from diffusers.utils import logging
from lora import Adapter, canonical, dotted, with_deltas
from pipelines import NEGATIVE, OUT, PROMPT, SMALL, TOKENIZERS, paint
from safetensors.torch import save_file
from transformers import CLIPTokenizer, T5EncoderModel, T5TokenizerFast

from common import save

SCALE = 0.7


def load(name: str):
    folder = OUT / name / "model"
    clips, t5s = CLIPTokenizer.from_pretrained(TOKENIZERS / "tokenizer"), T5TokenizerFast.from_pretrained(TOKENIZERS / "tokenizer_2")
    if name == "flux":
        pipe = FluxPipeline.from_pretrained(folder, tokenizer=clips, tokenizer_2=t5s, torch_dtype=torch.float32)
    else:
        pipe = StableDiffusion3Pipeline.from_pretrained(folder, tokenizer=clips, tokenizer_2=clips, tokenizer_3=t5s, torch_dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def adapter(pipe, part: str) -> Adapter:
    model = getattr(pipe, part)
    if part == "transformer":
        modules = {k: v for k, v in canonical(model).items() if k.endswith((".to_q", "ff.net.2"))}
    elif isinstance(model, T5EncoderModel):
        modules = canonical(model)
    else:
        modules = {k: v for k, v in canonical(model).items() if "layers" in k}
    config = dict(lora_alpha=6.0, alpha_pattern={"k_proj": 3.0, "wo": 2.0, "to_q": 9.0})
    return Adapter(part, modules, dotted(f"{part}."), peft=config, told=f"{part}.").fit(model.state_dict())


def flat(adapters: list[Adapter], whole: bool) -> dict[str, str]:
    """The metadata of a file, for diffusers, or only what scales."""
    found = {}
    for a in adapters:
        found |= json.loads((a.metadata() if whole else a.run()["metadata"])[LORA_ADAPTER_METADATA_KEY])
    return {LORA_ADAPTER_METADATA_KEY: json.dumps(found, sort_keys=True)}


def by_maths(pipe, adapters: list[Adapter], evaluate) -> torch.Tensor:
    """What evaluate finds with W + SCALE·scale·B·A."""
    if not adapters:
        return evaluate()
    first = adapters[0]
    old, first.deltas = first.deltas, {k: SCALE * v for k, v in first.deltas.items()}
    found = with_deltas(getattr(pipe, first.name), first, lambda: by_maths(pipe, adapters[1:], evaluate))
    first.deltas = old
    return found


def painted(pipe, adapters: list[Adapter], case: dict) -> torch.Tensor:
    """Latents by diffusers' loader, and by maths what that drops; the loader is held to the maths."""
    ours = [a for a in adapters if isinstance(getattr(pipe, a.name), T5EncoderModel)]
    theirs = [a for a in adapters if a not in ours]
    want = by_maths(pipe, adapters, lambda: paint(pipe, case, SMALL)[0])
    if not theirs:
        return want
    with tempfile.TemporaryDirectory() as folder:
        values = {k: v.clone() for a in theirs for k, v in a.values.items()}
        save_file(values, pathlib.Path(folder, "x.safetensors"), flat(theirs, True))
        pipe.load_lora_weights(folder, weight_name="x.safetensors", adapter_name="x")
    pipe.set_adapters("x", SCALE)
    got = by_maths(pipe, ours, lambda: paint(pipe, case, SMALL)[0])
    found = ((got - want).norm() / want.norm()).item()
    assert found < (1e-5 if pipe.dtype == torch.float32 else 0.5), f"diffusers differs by {found}"
    print(f"diffusers differs by {found:.1e}")
    pipe.unload_lora_weights()
    return got


@torch.no_grad()
def main() -> None:
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    for name, guided in (("flux", dict(guidance=3.5)), ("sd3", dict(guidance=4.5, negative=NEGATIVE))):
        parts = ["transformer", "text_encoder", "text_encoder_2"] + ["text_encoder_3"] * (name == "sd3")
        case = dict(seed=42, gamma=1.0, gamma_steps=0, **guided)
        plain = paint(load(name), case, SMALL)[0]
        tensors, cases = {}, []
        for of in [*([p] for p in parts[1:]), parts]:
            pipe = load(name)
            adapters = [adapter(pipe, p) for p in of]
            latents = painted(pipe, adapters, case)
            moved = ((latents - plain).norm() / plain.norm()).item()
            assert moved > 0.01, f"{of} moves the latents by {moved} only"
            tensors["+".join(of)] = latents
            tensors["+".join(of) + ".bf16"] = painted(pipe.to(torch.bfloat16), adapters, case)
            cases.append(dict(case, name="+".join(of), adapter=[t for a in adapters for t in a.tensors], metadata=flat(adapters, False)))
            print(f"{name} {of}: moves {moved:.3f}")
        save(OUT / name / "encoders-lora.safetensors", tensors, prompt=PROMPT, width=SMALL.width, height=SMALL.height, steps=SMALL.steps,
             text=SMALL.text, scale=SCALE, cases=cases)  # fmt: skip


if __name__ == "__main__":
    main()
