"""Photos to features with Pillow and ONNX Runtime, two processes of one thread each.

Usage: python onnxruntime_bench.py MODEL.onnx FOLDER, a model that carries a card
Prints photos a second and the peak memory of both processes together.
Made with onnxruntime 1.32, Pillow 13.0, numpy 2.4.
"""

import multiprocessing
import pathlib
import resource
import sys
import time

import numpy
import onnxruntime
from PIL import Image, ImageOps


FILTERS = {"bicubic": Image.BICUBIC, "bilinear": Image.BILINEAR}


def tensor(path, card):
    """The input of a card that crops, as Pillow makes it."""
    target = int(card["input_height"])
    short = int(target / float(card["crop_fraction"]) + 0.5)
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    scale = short / min(image.size)
    size = [short if side == min(image.size) else int(side * scale + 0.5) for side in image.size]
    image = image.resize(size, FILTERS[card["resize_filter"]])
    left, top = ((side - target) // 2 for side in image.size)
    pixels = numpy.asarray(image.crop((left, top, left + target, top + target)), numpy.float32)
    if card["pixel_range"] == "0..1":
        pixels = pixels / 255
    mean, deviation = (numpy.array(card[key].split(","), numpy.float32) for key in ("mean", "std"))
    return ((pixels - mean) / deviation).astype(numpy.float32).transpose(2, 0, 1)[None]


def work(arguments):
    model, paths = arguments
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    card = {key.removeprefix("sparkles."): value for key, value in metadata.items()}
    begun = time.perf_counter()
    for path in paths:
        session.run([card["feature_output"]], {card["input"]: tensor(path, card)})
    seconds = time.perf_counter() - begun
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    model, folder = sys.argv[1:3]
    paths = sorted(path for path in pathlib.Path(folder).rglob("*") if path.is_file())
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(work, [(model, paths[0::2]), (model, paths[1::2])], chunksize=1)
    seconds = max(result[0] for result in results)
    memory = sum(result[1] for result in results)
    print("onnxruntime", round(len(paths) / seconds, 1), "photos/s", round(memory / 1e6), "MB")
