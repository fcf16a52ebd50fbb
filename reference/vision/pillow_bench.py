"""Processor time per photo of Pillow's decode, orientation, resize and crop.

    python pillow_bench.py FOLDER [ROUNDS]

The peer of `cargo bench -p sparkles-vision --bench decode`: the same files, read
into memory first, to the same normalised tensor of 3 x 224 x 224. The best of
the rounds counts. Pillow 13.0, numpy 2.4. Two figures: the whole image resized
and then cut, as the backbones' README has it, and with Pillow's own source box
(`resize(box=...)`), which computes the square alone as we do.
"""

import io
import pathlib
import sys
import time

import numpy as np
from PIL import Image, ImageOps


def upright(data):
    return ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")


def sides(image):
    shorter = min(image.size)
    return [int(np.floor(side * 256 / shorter + 0.5)) for side in image.size]


def cut(image):
    image_sides = sides(image)
    left, top = [(side - 224) // 2 for side in image_sides]
    return image.resize(image_sides, Image.BICUBIC).crop((left, top, left + 224, top + 224))


def box(image):
    spans = []
    for stored, side in zip(image.size, sides(image)):
        offset = (side - 224) // 2
        spans.append((offset * stored / side, (offset + 224) * stored / side))
    (left, right), (top, bottom) = spans
    return image.resize((224, 224), Image.BICUBIC, box=(left, top, right, bottom))


def tensor(image):
    return ((np.asarray(image, np.float32) - 127) / 128).transpose(2, 0, 1).copy()


def main():
    folder, *rounds = sys.argv[1:]
    photos = [path.read_bytes() for path in sorted(pathlib.Path(folder).iterdir()) if path.is_file()]
    for name, square in (("resize, then crop", cut), ("resize of a box", box)):
        best = float("inf")
        for _ in range(int(rounds[0]) if rounds else 3):
            begun = time.process_time()
            for photo in photos:
                tensor(square(upright(photo)))
            best = min(best, time.process_time() - begun)
        print(f"Pillow, {name}: {len(photos)} photos, {best * 1000 / len(photos):.3f} ms a photo")


if __name__ == "__main__":
    main()
