"""Networks that PyTorch exported, through cut, inspect and featurize.

    exports.py SPARKLES DUMP DATASET PHOTOS

A ResNet-18 and a ConvNeXt (seeded weights, the latter with a free number of images)
and a vision transformer are exported by torch.onnx, cut at what their classifier
reads, and must give the features that PyTorch gives for the same tensor (largest
difference relative to the norm at most 1e-4). Then DATASET is featurized through each.
A network with an operator that no engine here runs (`Det`) must be named by `inspect`
and refused by `cut` and `featurize` without harm.

Python 3.11, torch 2.15, timm 1.0.31, onnx 1.23, onnxscript 0.7, numpy 2.4.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import timm
import torch
from onnx import TensorProto, helper

NETWORKS = {
    "resnet18": {"dynamo": False, "dynamic_axes": {"input": {0: "batch"}}},
    "convnext_atto": {"dynamo": True, "dynamic_shapes": ({0: torch.export.Dim("batch")},)},
    "vit_tiny_patch16_224": {"dynamo": True},
}


def run(*command, status=0):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status, (command, done.stderr)
    return done.stdout if status == 0 else done.stderr


def unsupported(path):
    """A convolution, and the determinant of what it makes."""
    weights = np.random.default_rng(1).normal(size=(4, 3, 56, 56)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["input", "w"], ["maps"], strides=[56, 56]),
            helper.make_node("Det", ["maps"], ["output"]),
        ],
        "unsupported",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 224, 224])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 4])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main():
    sparkles, dump, dataset, folder = sys.argv[1:]
    photos = sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix == ".jpg")[:10]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        for name, options in NETWORKS.items():
            torch.manual_seed(7)
            net = timm.create_model(name, pretrained=False).eval()
            example = torch.randn(2 if len(options) > 1 else 1, 3, 224, 224)
            file, backbone = work / f"{name}.onnx", work / f"{name}-cut.onnx"
            torch.onnx.export(net, (example,), file, input_names=["input"], output_names=["logits"], opset_version=18, **options)
            whole = json.loads(run(sparkles, "backbone", "inspect", file, "--format", "json"))
            assert not whole["unsupported"], whole["unsupported"]
            run(sparkles, "backbone", "cut", file, "--preset", "torchvision", "--out", backbone)
            cut = json.loads(run(sparkles, "backbone", "inspect", backbone, "--format", "json"))
            dimension = cut["card"]["feature_dimension"]
            assert dimension == net.num_features, (dimension, net.num_features)
            run(sparkles, "backbone", "check", backbone)
            (work / name).mkdir()
            text = "\n".join(map(str, photos))
            results = {}
            for kind in ("tensor", "features", "logits"):
                (work / name / kind).mkdir()
                subprocess.run([dump, kind, work / name / kind, backbone], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
                results[kind] = np.stack([np.fromfile(work / name / kind / f"{at}.bin", "<f4") for at in range(len(photos))])
            tensors = torch.from_numpy(results["tensor"].reshape(-1, 3, 224, 224))
            with torch.inference_mode():
                theirs = net.forward_head(net.forward_features(tensors), pre_logits=True).numpy()
                logits = net(tensors).numpy()
            relative = lambda a, b: (np.abs(a - b).max(1) / np.linalg.norm(b, axis=1)).max()
            off, logits_off = relative(results["features"], theirs), relative(results["logits"], logits)
            summary = json.loads(run(sparkles, "featurize", dataset, "--backbone", backbone, "--format", "json"))
            print(
                f"{name}: {whole['parameters']:,} parameters, {whole['multiply_adds']:,} multiply-adds; {dimension} features off by {off:.1e}, "
                f"logits by {logits_off:.1e}; {summary['featurized']} photos featurized, {summary['rejected']} refused",
                flush=True,
            )
            assert off <= 1e-4 and logits_off <= 1e-4
        odd = work / "det.onnx"
        unsupported(odd)
        named = json.loads(run(sparkles, "backbone", "inspect", odd, "--format", "json"))["unsupported"]
        assert len(named) == 1 and "Det" in named[0], named
        said = run(sparkles, "backbone", "cut", odd, "--preset", "torchvision", "--output", "output", "--out", work / "never.onnx", status=1)
        assert "Det" in said and not (work / "never.onnx").exists(), said
        # What does not need the operator can be cut out.
        run(sparkles, "backbone", "cut", odd, "--preset", "torchvision", "--output", "maps", "--out", work / "maps.onnx")
        print(f"unsupported operator: inspect says `{named[0]}`; cut says `{said.splitlines()[0]}`")


if __name__ == "__main__":
    main()
