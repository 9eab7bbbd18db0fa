"""Writes verbs.json: every verb of tensor.Ops by PyTorch in float64.

    python verbs.py > verbs.json

Inputs are multiples of 1/64, so that every format but the smallest holds them.
"""
import json
import math

import torch
import torch.nn.functional as F

torch.manual_seed(20250607)
EPS = 1e-6


def draw(rows, cols):
    return torch.randint(-160, 161, (rows, cols)).double() / 64


def plain(x):
    return {"rows": x.shape[0], "cols": x.shape[1], "values": x.flatten().tolist()}


def case(out, **operands):
    return {"in": {k: plain(v) for k, v in operands.items()}, "out": plain(out)}


def attention(q, k, v, heads, weigh=lambda logits: logits, mask=None):
    rows, cols = q.shape
    q, k, v = (t.view(rows, heads, -1).transpose(0, 1) for t in (q, k, v))
    logits = weigh(q @ k.transpose(1, 2) / math.sqrt(cols / heads))
    if mask is not None:
        logits = logits.masked_fill(~mask, float("-inf"))
    return (logits.softmax(-1) @ v).transpose(0, 1).reshape(rows, cols)


def temper(logits):
    """Equation 5 of arXiv 2506.07986: rows 0 and 1 are text."""
    logits = logits.clone()
    logits[:, 2:, :2] *= 1.5
    return logits


def rotate(x, angles, heads):
    """FLUX's rotation: a complex product of neighbouring pairs."""
    z = torch.view_as_complex(x.view(x.shape[0], heads, -1, 2).contiguous())
    z = z * torch.polar(torch.ones_like(angles), angles)[:, None]
    return torch.view_as_real(z).reshape(x.shape)


def rms(x, gain):
    return F.rms_norm(x, gain.shape[-1:], gain[0], EPS)


def main():
    x, y, row, other = draw(5, 8), draw(5, 8), draw(1, 8), draw(1, 8)
    w, bias = draw(6, 8), draw(1, 6)
    cases = {}
    for name, act in {
        "identity": lambda t: t, "silu": F.silu, "gelu_tanh": lambda t: F.gelu(t, approximate="tanh"),
        "gelu": F.gelu, "quick_gelu": lambda t: t * torch.sigmoid(1.702 * t),
    }.items():
        cases["Linear " + name] = case(act(F.linear(x, w, bias[0])), x=x, w=w, bias=bias)
        cases["Activate " + name] = case(act(x), x=x)
    down, up, start = draw(2, 8), draw(6, 2), draw(5, 6)
    cases["AddLowRank"] = case(start + 0.5 * (x @ down.T) @ up.T, x=x, down=down, up=up, dst=start)
    normed = F.layer_norm(x, (8,), eps=EPS)
    cases["ModulatedNorm"] = case((1 + other) * normed + row, x=x, shift=row, scale=other)
    cases["LayerNorm"] = case(F.layer_norm(x, (8,), row[0], other[0], EPS), x=x, gain=row, bias=other)
    cases["RMSNorm"] = case(rms(x, row), x=x, gain=row)
    gain, angles = draw(1, 4), draw(5, 2)
    rope = torch.stack([angles.cos(), angles.sin()], -1).float().double().reshape(5, 4)
    angles = torch.atan2(rope[:, 1::2], rope[:, 0::2])
    lengths = torch.hypot(rope[:, 1::2], rope[:, 0::2])[:, None, :, None]
    turned = rotate(rms(x.view(5, 2, 4), gain).reshape(5, 8), angles, 2)
    turned = (turned.view(5, 2, 2, 2) * lengths).reshape(5, 8)
    cases["QKNormRope"] = case(turned, x=x, gain=gain, rope=rope)
    q, k, v = draw(5, 8), draw(5, 8), draw(5, 8)
    cases["Attention plain"] = case(attention(q, k, v, 2), q=q, k=k, v=v)
    cases["Attention gamma"] = case(attention(q, k, v, 2, temper), q=q, k=k, v=v)
    lower = torch.ones(5, 5).tril().bool()
    cases["Attention causal"] = case(attention(q, k, v, 2, mask=lower), q=q, k=k, v=v)
    table = draw(9, 2)
    distance = torch.arange(5)[None, :] - torch.arange(5)[:, None] + 4
    biased = attention(q, k, v, 2, lambda logits: logits + table[distance].permute(2, 0, 1))
    cases["Attention bias"] = case(biased, q=q, k=k, v=v, bias=table)
    cases["GatedAdd"] = case(x + row * y, x=x, y=y, gate=row)
    cases["Mul"] = case(x * y, x=x, y=y)
    cases["Mix"] = case(2.5 * x - 1.5 * y, x=x, y=y)
    cases["Gather"] = case(x[[3, 0, 3]], x=x)
    pixels, kernel = draw(12, 2), torch.randint(-160, 161, (3, 2, 3, 3)).double() / 64
    image, three = pixels.T.reshape(1, 2, 3, 4), draw(1, 3)
    conv = F.conv2d(image, kernel, three[0], padding=1).reshape(3, 12).T
    cases["Conv3x3"] = case(conv, x=pixels, w=kernel.permute(0, 2, 3, 1).reshape(3, 18), bias=three)
    wide, four, shift = draw(12, 4), draw(1, 4), draw(1, 4)
    grouped = F.silu(F.group_norm(wide.T.reshape(1, 4, 3, 4), 2, four[0], shift[0], EPS))
    cases["GroupNorm"] = case(grouped.reshape(4, 12).T, x=wide, gain=four, bias=shift)
    up2 = F.interpolate(image, scale_factor=2, mode="nearest")
    cases["Upsample2x"] = case(up2.reshape(2, 48).T, x=pixels)
    print("{" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in cases.items()) + "}")


main()
