"""A file as the safetensors library writes it, and how torch widens the small number formats.

    python checkpoint.py

Writes internal/checkpoint/testdata/library.safetensors: one tensor of every number format torch can save. Its
metadata holds their shapes, and digests of all values that each format of weights can have, as little-endian f32
with 7 for NaN.
"""

import hashlib

import torch

import common

FORMATS = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "U16": torch.uint16, "I16": torch.int16, "U32": torch.uint32,
    "I32": torch.int32, "U64": torch.uint64, "I64": torch.int64, "F16": torch.float16, "BF16": torch.bfloat16,
    "F32": torch.float32, "F64": torch.float64, "C64": torch.complex64, "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2, "F8_E8M0": torch.float8_e8m0fnu,
}  # fmt: skip
SHAPES = [[], [3], [2, 3], [1, 0, 4], [5, 1, 1]]


def widened(patterns: torch.Tensor, dtype: torch.dtype) -> str:
    values = patterns.view(dtype).float()
    values[values.isnan()] = 7
    return hashlib.sha256(values.numpy().tobytes()).hexdigest()


if __name__ == "__main__":
    eight, sixteen = torch.arange(256).to(torch.uint8), torch.arange(65536).to(torch.uint16)
    shapes = {name: SHAPES[i % len(SHAPES)] for i, name in enumerate(FORMATS)}
    common.save(
        common.REPOSITORY / "internal/checkpoint/testdata/library.safetensors",
        {name: torch.ones(shapes[name]).to(dtype) for name, dtype in FORMATS.items()},
        shapes=shapes,
        widened={
            "F8_E4M3": widened(eight, torch.float8_e4m3fn),
            "F8_E5M2": widened(eight, torch.float8_e5m2),
            "F16": widened(sixteen, torch.float16),
            "BF16": widened(sixteen, torch.bfloat16),
        },
    )
