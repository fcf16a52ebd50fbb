"""Compares sparkles-vision with Pillow, ONNX Runtime's golden features and labels.

    cargo build -p sparkles-vision --example dump
    python compare.py DUMP_BINARY SHARED_DATA odd|resize|features|top1

Versions it was run with: Pillow 13.0, numpy 2.4, pyarrow 26.0.

odd       every file of odd-files: ours and Pillow's outcome, and how far the
          upright RGB pixels are apart; writes tests/data/odd-files.csv
resize    car-tree: the input square against Pillow's decode, resize and crop, and
          against Pillow's resize of *our* pixels, which leaves the decoder out
features  car-tree: cosine to the golden features
top1      imagenet-sample: how often the class is right
"""

import csv
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).resolve().parent
TABLE = HERE / "../../crates/sparkles-vision/tests/data/odd-files.csv"


def dump(binary, kind, paths, backbone=None):
    """Rows (status, width, height, channels, cost, message, bytes) per path."""
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, kind, folder] + ([str(backbone)] if backbone else [])
        text = "".join(f"{path}\n" for path in paths)
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        for line, row in enumerate(done.stdout.splitlines()):
            path, status, *numbers, message = row.split("\t")
            file = pathlib.Path(folder) / f"{line}.bin"
            data = file.read_bytes() if file.exists() else b""
            yield path, status, [int(number) for number in numbers], message, data


def pillow(path):
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def odd(binary, data):
    folder = data / "odd-files"
    with open(folder / "MANIFEST.csv", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    rows = []
    for path, status, numbers, message, ours in dump(binary, "pixels", [folder / n for n in names]):
        name = str(pathlib.Path(path).relative_to(folder))
        width, height, _, _ = numbers
        difference = ""
        try:
            theirs = np.asarray(pillow(path), np.int16)
            outcome = "ok"
        except Exception as error:
            theirs, outcome = None, type(error).__name__
        if ours and theirs is not None:
            mine = np.frombuffer(ours, np.uint8).reshape(height, width, 3).astype(np.int16)
            if mine.shape == theirs.shape:
                apart = abs(mine - theirs)
                difference = f"{apart.mean():.2f} mean, {apart.max()} most"
            else:
                difference = f"size {theirs.shape[1]}x{theirs.shape[0]}"
        size = f"{width}x{height}" if ours else ""
        rows.append([name, status, "ok" if outcome == "ok" else "error", size])
        if (status == "ok") != (outcome == "ok") or difference.split(" ")[0] not in ("", "0.00"):
            print(f"{name}\tours {status}\tPillow {outcome}\t{difference}\t{message}")
    with open(TABLE, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "ours", "pillow", "size"])
        writer.writerows(rows)
    agree = sum((row[1] == "ok") == (row[2] == "ok") for row in rows)
    print(f"{agree} of {len(rows)} agree on whether it is an image")


def square(image):
    """The input of lite0 as the backbones' README has it."""
    width, height = image.size
    scale = lambda side: int(np.floor(side * 256 / min(width, height) + 0.5))
    image = image.resize((scale(width), scale(height)), Image.BICUBIC)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    return np.asarray(image.crop((left, top, left + 224, top + 224)), np.int16)


def photos(data):
    return sorted(p for p in (data / "car-tree").rglob("*") if p.suffix in (".jpg", ".png", ".webp"))


def resize(binary, data):
    paths = photos(data)
    pixels = {path: (numbers, ours) for path, _, numbers, _, ours in dump(binary, "pixels", paths)}
    counts, same_decoder = np.zeros(256, int), np.zeros(256, int)
    for path, status, _, message, tensor in dump(binary, "tensor", paths):
        if status != "ok":
            print(path, status, message)
            continue
        ours = np.frombuffer(tensor, np.float32).reshape(3, 224, 224).transpose(1, 2, 0)
        ours = np.rint(ours * 128 + 127).astype(np.int16)
        counts += np.bincount(abs(ours - square(pillow(path))).ravel(), minlength=256)
        (width, height, _, _), decoded = pixels[path]
        image = Image.frombytes("RGB", (width, height), decoded)
        same_decoder += np.bincount(abs(ours - square(image)).ravel(), minlength=256)
    for name, count in (("whole way", counts), ("resize alone", same_decoder)):
        shares = ", ".join(f"{n}: {c / count.sum():.6f}" for n, c in enumerate(count) if c)
        print(f"{name}: levels apart {shares}")


def features(binary, data):
    import pyarrow.parquet

    golden = pyarrow.parquet.read_table(data / "backbones/lite0_car_tree_features.parquet")
    golden = dict(zip(golden["image_id"].to_pylist(), golden["features"].to_pylist()))
    for weights in ("efficientnet_lite0.onnx", "efficientnet_lite0_f16.onnx"):
        cosines = []
        backbone = data / "backbones" / weights
        for path, status, _, message, values in dump(binary, "features", photos(data), backbone):
            ours = np.frombuffer(values, np.float32).astype(float)
            theirs = np.asarray(golden[pathlib.Path(path).stem])
            cosine = ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)
            cosines.append((cosine, path))
        cosines.sort()
        for suffix in (".jpg", ".png", ".webp"):
            some = [cosine for cosine, path in cosines if path.endswith(suffix)]
            below = sum(cosine < 0.999 for cosine in some)
            print(f"{weights} {suffix}: {len(some)}, least {min(some):.6f}, "
                  f"median {np.median(some):.6f}, below 0.999: {below}")
        for cosine, path in cosines[:5]:
            print(f"  {cosine:.6f} {path}")


def top1(binary, data):
    folder = data / "imagenet-sample"
    with open(folder / "classes.csv", newline="") as file:
        classes = {row["file"]: int(row["class_index"]) for row in csv.DictReader(file)}
    right = 0
    for path, _, _, _, values in dump(binary, "logits", [folder / name for name in classes]):
        right += np.frombuffer(values, np.float32).argmax() == classes[pathlib.Path(path).name]
    print(f"top-1: {right} of {len(classes)}, {right / len(classes):.3f}")


if __name__ == "__main__":
    binary, data, what = sys.argv[1:]
    globals()[what](binary, pathlib.Path(data))
