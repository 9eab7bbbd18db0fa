"""A GGUF file as the gguf package writes it, and what that package makes of its numbers.

    python gguf_formats.py

Writes internal/gguf/testdata: formats.gguf, a tensor in every format that is read, called by its name, and
formats.safetensors, the same in F32 by gguf.quants.dequantize. What the package can quantise is drawn from a normal
distribution; of the K formats, which it can only read, blocks are random bytes with scales that are finite. A tensor
of three sizes, one with a shape of its own in the metadata, and values of every kind are there for the header.
"""

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

import common

ROWS, COLUMNS = 2, 512
FOLDER = common.REPOSITORY / "internal/gguf/testdata"
WRITTEN = [Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1]
SCALES = {Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}  # F16 in a block


def blocks(random: np.random.Generator, kind: Type) -> np.ndarray:
    columns, size = gguf.GGML_QUANT_SIZES[kind]
    raw = random.integers(0, 256, (ROWS, COLUMNS // columns, size), dtype=np.uint8)
    for at in SCALES[kind]:
        d = random.normal(0, 0.02, raw.shape[:2] + (1,)).astype(np.float16)
        d[0, 0] = np.float16(3e-7)  # subnormal
        raw[:, :, at : at + 2] = d.view(np.uint8)
    return raw.reshape(ROWS, -1)


def main() -> None:
    random = np.random.default_rng(0)
    FOLDER.mkdir(parents=True, exist_ok=True)
    writer = gguf.GGUFWriter(FOLDER / "formats.gguf", "test")
    numbers = {}

    def add(name: str, raw: np.ndarray, kind: Type) -> None:
        writer.add_tensor(name, raw, raw_dtype=kind)
        numbers[name] = np.array(gguf.quants.dequantize(raw, kind), dtype=np.float32)

    for kind in WRITTEN:
        values = (random.normal(0, 1, (ROWS, COLUMNS)) * np.exp(random.normal(0, 2, (ROWS, 1)))).astype(np.float32)
        add(kind.name, gguf.quants.quantize(values, kind), kind)
    for kind in SCALES:
        add(kind.name, blocks(random, kind), kind)
    add("cube", gguf.quants.quantize(random.normal(0, 1, (2, 3, 32)).astype(np.float32), Type.Q8_0), Type.Q8_0)
    add("folded", random.normal(0, 1, (6, 32)).astype(np.float16), Type.F16)
    writer.add_array("comfy.gguf.orig_shape.folded", [2, 3, 8, 4])
    add("vector", random.normal(0, 1, 5).astype(np.float32), Type.F32)
    writer.add_string("a.text", "Grüße")
    writer.add_string("a.long", "x" * 2000)
    writer.add_bool("a.bool", True)
    writer.add_int8("a.int8", -3)
    writer.add_uint64("a.uint64", 2**64 - 1)
    writer.add_float32("a.float", 0.1)
    writer.add_float64("a.double", 0.1)
    writer.add_array("a.texts", ["one", "two", "three"])
    writer.add_array("a.numbers", list(range(100)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    numbers["folded"] = numbers["folded"].reshape(2, 3, 8, 4)
    import torch

    common.save(FOLDER / "formats.safetensors", {name: torch.from_numpy(v) for name, v in numbers.items()})


if __name__ == "__main__":
    main()
