"""Pictures side by side, with or without captions."""
import textwrap
import numpy as np
from PIL import Image, ImageDraw


def grid(pictures, columns):
    """uint8 pictures [n, h, w, 3] -> one image, row by row."""
    n, h, w, _ = pictures.shape
    rows = n // columns
    tiles = pictures[:rows * columns].reshape(rows, columns, h, w, 3)
    return Image.fromarray(tiles.transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, 3))


def captioned(pictures, captions, columns, margin=6, text_height=30):
    """As grid, each picture with its caption below on at most two lines."""
    h, w = pictures.shape[1:3]
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * (w + 2 * margin), rows * (h + text_height + margin)), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (picture, caption) in enumerate(zip(pictures, captions)):
        x, y = i % columns * (w + 2 * margin) + margin, i // columns * (h + text_height + margin) + margin
        sheet.paste(Image.fromarray(np.asarray(picture)), (x, y))
        draw.multiline_text((x, y + h + 2), "\n".join(textwrap.wrap(caption, 22)[:2]), fill="black", font_size=10, spacing=1)
    return sheet
