"""Small picture files of every kind that is read, and the pixels that Pillow finds in them.

    python picture_files.py

Writes internal/picture/testdata/files and pixels.json: width, height, colours over white after the camera's
orientation, and how far a colour may be off: nothing where nothing is lost, as decoders of lossy files differ.
"""

import io
import json
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

import common

OUT = common.REPOSITORY / "internal/picture/testdata"
WIDTH, HEIGHT = 11, 6


def colours() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([23 * x, 45 * y, 255 - 12 * x - 20 * y, np.where(x < 3, 0, 255 - 30 * y)], -1).astype(np.uint8)


def png(kind: int, depth: int, rows: np.ndarray) -> bytes:
    """What Pillow does not write: more than 8 bits a colour."""
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rows)
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def written(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def files() -> dict[str, tuple[bytes, np.ndarray | None, int]]:
    """Bytes of each file, its colours where Pillow would not find them, and the tolerance."""
    rgba = colours()
    whole, solid = Image.fromarray(rgba), Image.fromarray(rgba[:, :, :3])
    grey = solid.convert("L")
    smooth = Image.fromarray(np.stack([np.add.outer(5 * np.arange(24), 3 * np.arange(32))] * 3, -1).astype(np.uint8))
    flat = Image.new("RGBA", (16, 16), (200, 60, 20, 128))
    wide = rgba.astype(np.uint16) * 256 + 77
    greys16 = np.asarray(grey).astype(np.uint16) * 256 + 200
    see = {
        "rgb.png": (written(solid, "PNG"), None, 0), "rgba.png": (written(whole, "PNG"), None, 1),
        "grey.png": (written(grey, "PNG"), None, 0), "grey-alpha.png": (written(whole.convert("LA"), "PNG"), None, 1),
        "bits.png": (written(grey.convert("1"), "PNG"), None, 0), "palette.png": (written(solid.quantize(8), "PNG"), None, 0),
        "palette-clear.png": (written(solid.quantize(8), "PNG", transparency=2), None, 0),
        "rgb16.png": (png(2, 16, wide[:, :, :3].reshape(HEIGHT, -1)), rgba[:, :, :3], 0),
        "grey16.png": (png(0, 16, greys16), np.stack([np.asarray(grey)] * 3, -1), 0),
        "rgba16.png": (png(6, 16, wide.reshape(HEIGHT, -1)), None, 1),
        "rgb.jpg": (written(solid, "JPEG", quality=95, subsampling=0), None, 4), "progressive.jpg": (written(solid, "JPEG", quality=95, subsampling=0, progressive=True), None, 4),
        "grey.jpg": (written(grey, "JPEG", quality=95), None, 3), "half.jpg": (written(smooth, "JPEG", quality=95), None, 4),
        "cmyk.jpg": (written(solid.convert("CMYK"), "JPEG", quality=98, subsampling=0), None, 6),
        "lossy.webp": (written(smooth, "WEBP", quality=95), None, 1), "lossy-alpha.webp": (written(flat, "WEBP", quality=95), None, 2), "lossless.webp": (written(solid, "WEBP", lossless=True), None, 0),
        "alpha.webp": (written(whole, "WEBP", lossless=True, exact=True), None, 1),
        "turned.jpg": (written(smooth, "JPEG", quality=95, exif=turned(6)), None, 4), "turned.webp": (written(solid, "WEBP", lossless=True, exif=turned(8)), None, 0),
    }
    return see | {f"turned-{o}.png": (written(solid, "PNG", exif=turned(o)), None, 0) for o in range(1, 9)}


def seen(data: bytes) -> np.ndarray:
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def main() -> None:
    (OUT / "files").mkdir(parents=True, exist_ok=True)
    told = {}
    for name, (data, known, tolerance) in files().items():
        pixels = seen(data) if known is None else known
        (OUT / "files" / name).write_bytes(data)
        told[name] = dict(width=pixels.shape[1], height=pixels.shape[0], tolerance=tolerance, colours=pixels.tobytes().hex())
    (OUT / "pixels.json").write_text(json.dumps(told, indent=0) + "\n")
    print(len(told), "files", sum(f.stat().st_size for f in (OUT / "files").iterdir()), "bytes")


if __name__ == "__main__":
    main()
