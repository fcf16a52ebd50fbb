"""Makes the tiny backbones of the tests: tiny.onnx and tiny_without_card.onnx.

A convolution net of a few thousand seeded weights with the whole card: input
32 x 32, 16 features, 4 logits. It knows nothing; it is small, fast and always
the same. Made with onnx 1.23, numpy 2.4:

    python tiny_backbone.py ../../crates/sparkles-vision/tests/data
"""

import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CARD = {
    "name": "tiny",
    "version": "1",
    "license": "MIT OR Apache-2.0",
    "source": "reference/vision/tiny_backbone.py, seed 20240607",
    "input": "image",
    "input_layout": "NCHW",
    "input_height": "32",
    "input_width": "32",
    "channel_order": "RGB",
    "pixel_range": "0..255",
    "resize_filter": "bicubic",
    "resize_bicubic_a": "-0.5",
    "resize_antialias": "true",
    "resize_policy": "shorter-side-then-center-crop",
    "crop_fraction": "0.875",
    "mean": "127,127,127",
    "std": "128,128,128",
    "feature_output": "features",
    "feature_dimension": "16",
    "logits_output": "logits",
    "class_count": "4",
    "classes": "none: the weights are random",
    "weights": "float32",
}


def weights(random, name, shape):
    scale = 1.0 / np.sqrt(np.prod(shape[1:]) if len(shape) > 1 else 1.0)
    values = (random.standard_normal(shape) * scale).astype(np.float32)
    return numpy_helper.from_array(values, name)


def model():
    random = np.random.default_rng(20240607)
    initializers = [
        weights(random, "w1", (8, 3, 3, 3)),
        weights(random, "b1", (8,)),
        weights(random, "w2", (16, 8, 3, 3)),
        weights(random, "b2", (16,)),
        weights(random, "w3", (4, 16)),
        weights(random, "b3", (4,)),
    ]
    convolution = dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], **convolution),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("Conv", ["r1", "w2", "b2"], ["c2"], **convolution),
        helper.make_node("Relu", ["c2"], ["r2"]),
        helper.make_node("GlobalAveragePool", ["r2"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"], axis=1),
        helper.make_node("Gemm", ["features", "w3", "b3"], ["logits"], transB=1),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [value("image", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [
            value("features", TensorProto.FLOAT, ["batch", 16]),
            value("logits", TensorProto.FLOAT, ["batch", 4]),
        ],
        initializers,
    )
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opsets, producer_name="sparkles-reference")
    made.ir_version = 8
    onnx.checker.check_model(made)
    return made


def main():
    folder = pathlib.Path(sys.argv[1])
    made = model()
    onnx.save(made, folder / "tiny_without_card.onnx")
    for key, text in CARD.items():
        made.metadata_props.add(key=f"sparkles.{key}", value=text)
    onnx.save(made, folder / "tiny.onnx")


if __name__ == "__main__":
    main()
