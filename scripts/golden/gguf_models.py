"""Transformers as GGUF, as those on the hub are: in their authors' names, written by the gguf package.

    python gguf_models.py

Writes internal/assembly/testdata/{flux,sd3}.gguf from the tiny models of the pipeline's goldens. That of Stable Diffusion 3.5
is as ComfyUI-GGUF's converter leaves it: matrices of blocks in several formats by turns, embedders and the final layer in
BF16, vectors in F32. That of FLUX.1 is as stable-diffusion.cpp writes it: under a prefix, all matrices in blocks that can be.
gguf.json holds what must be found: of every canonical tensor, by way of gguf.quants.dequantize and diffusers' converter, the
SHA-256 of its F32 bytes.
"""

import hashlib
import json
import sys

import gguf
import numpy as np
import torch
from diffusers.loaders import single_file_utils
from gguf import GGMLQuantizationType as Type
from safetensors.torch import load_file

import common
import dialects

sys.path.insert(0, str(common.REPOSITORY / "scripts"))
import original_names  # noqa: E402

OUT = common.REPOSITORY / "internal/assembly/testdata"
AS_THEY_ARE = ("final_layer.", "context_embedder.", "t_embedder.", "y_embedder.", "x_embedder.", "pos_embed")  # of SD3
FORMATS = {"flux": [Type.Q4_0, Type.Q5_1, Type.Q4_1, Type.Q5_0], "sd3": [Type.Q8_0, Type.Q5_0, Type.Q4_1]}


def write(name: str, prefix: str, read) -> dict:
    model = common.REPOSITORY / f"internal/pipeline/testdata/{name}/model/transformer/diffusion_pytorch_model.safetensors"
    path = OUT / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, name)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    numbers, turn = {}, 0
    for key, t in sorted(original_names.original(load_file(model)).items()):
        values = t.float().numpy()
        if t.dim() == 1:
            kind = Type.F32
        elif t.dim() != 2 or t.shape[1] % 32 or name == "sd3" and key.startswith(AS_THEY_ARE):
            kind = Type.BF16
        else:
            kind, turn = FORMATS[name][turn % len(FORMATS[name])], turn + 1
        raw = gguf.quants.quantize(values, kind)
        writer.add_tensor(prefix + key, raw, raw_shape=raw.shape, raw_dtype=kind)
        numbers[key] = torch.from_numpy(np.array(gguf.quants.dequantize(raw, kind), dtype=np.float32)).reshape(t.shape)
    count, canonical = len(numbers), read(numbers)  # which takes them out
    digests = {key: hashlib.sha256(t.contiguous().numpy().tobytes()).hexdigest() for key, t in canonical.items()}
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{path.relative_to(common.REPOSITORY)}: {path.stat().st_size} bytes, {count} tensors, {len(digests)} canonical ones")
    return digests


if __name__ == "__main__":
    common.versions()
    found = {
        "flux": write("flux", "model.diffusion_model.", dialects.flux_reader(64)),
        "sd3": write("sd3", "", single_file_utils.convert_sd3_transformer_checkpoint_to_diffusers),
    }
    (OUT / "gguf.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
