"""Photos to features with Pillow and ONNX Runtime, two processes of one thread each.

Usage: python onnxruntime_bench.py MODEL.onnx FOLDER
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


def tensor(path):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    width, height = image.size
    scale = 256 / min(width, height)
    size = [256 if side == min(width, height) else int(side * scale + 0.5) for side in (width, height)]
    image = image.resize(size, Image.BICUBIC)
    left, top = ((side - 224) // 2 for side in image.size)
    pixels = numpy.asarray(image.crop((left, top, left + 224, top + 224)), numpy.float32)
    return ((pixels - 127) / 128).transpose(2, 0, 1)[None]


def work(arguments):
    model, paths = arguments
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    begun = time.perf_counter()
    for path in paths:
        session.run(["features"], {"image": tensor(path)})
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
