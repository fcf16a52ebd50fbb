"""Parity of the networks built here with timm's, on seeded weights.

    architectures.py SPARKLES DUMP PHOTOS [NAME…]

SPARKLES is the program, DUMP the example `dump` of sparkles-vision, PHOTOS a folder
of JPEGs. For each network: timm makes it with seeded weights (normalisations
too), saves them as safetensors, SPARKLES builds the backbone, and both get the
same 50 photos: first as the same tensor (largest difference relative to the norm of
the vector; bound 1e-4), then from the JPEG bytes on, with timm's own transform
(cosine; bound 0.999, medians and least are printed). The logits are compared too.

Python 3.11, torch 2.15, timm 1.0.31, safetensors, Pillow, numpy.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform, resolve_model_data_config

NETWORKS = {
    "inception_v3": "inception_v3.tv_in1k",
    "xception": "legacy_xception.tf_in1k",
    "resnet50": "resnet50.tv_in1k",
    "vgg16": "vgg16.tv_in1k",
    "vgg19": "vgg19.tv_in1k",
}
PHOTOS = 50


def seeded(name):
    """The network with weights of a fixed seed, normalisations not trivial."""
    torch.manual_seed(20261123)
    net = timm.create_model(name, pretrained=False).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.8, 1.2)
            torch.nn.init.uniform_(module.bias, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
    # timm's own initialisations give nearly constant features.
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    return net


def features(net, tensor):
    """Pooled features and logits."""
    with torch.inference_mode():
        maps = net.forward_features(tensor)
        if hasattr(net, "pre_logits"):  # VGG: the maps before the hidden layers
            maps = net.features(tensor)
        return maps.mean(dim=(2, 3)).numpy(), net(tensor).numpy()


def dump(program, kind, photos, backbone, dimension):
    with tempfile.TemporaryDirectory() as out:
        text = "\n".join(map(str, photos))
        subprocess.run([program, kind, out, str(backbone)], input=text, text=True, check=True, stdout=subprocess.DEVNULL)
        rows = [np.fromfile(pathlib.Path(out) / f"{line}.bin", "<f4") for line in range(len(photos))]
    assert all(len(row) == dimension for row in rows)
    return np.stack(rows)


def cosine(a, b):
    a, b = a.astype("f8"), b.astype("f8")
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def main():
    sparkles, program, folder, *names = sys.argv[1:]
    photos = sorted(path for path in pathlib.Path(folder).iterdir() if path.suffix in (".jpg", ".jpeg"))[:PHOTOS]
    failed = False
    for name in names or NETWORKS:
        net = seeded(NETWORKS[name].split(".")[0])
        with tempfile.TemporaryDirectory() as work:
            weights, backbone = pathlib.Path(work, "model.safetensors"), pathlib.Path(work, f"{name}.onnx")
            save_file({key: value.contiguous() for key, value in net.state_dict().items()}, weights)
            subprocess.run([sparkles, "backbone", "pull", name, "--from", weights, "--out", backbone], check=True, stdout=subprocess.DEVNULL)
            config = resolve_model_data_config(net, pretrained_cfg=timm.get_pretrained_cfg(NETWORKS[name]).to_dict())
            side = config["input_size"][1]
            tensors = dump(program, "tensor", photos, backbone, 3 * side * side).reshape(-1, 3, side, side)
            dimension = 512 if name.startswith("vgg") else 2048
            ours = dump(program, "features", photos, backbone, dimension)
            our_logits = dump(program, "logits", photos, backbone, 1000)
        batches = [features(net, torch.from_numpy(tensors[at : at + 5].copy())) for at in range(0, len(photos), 5)]
        theirs = np.concatenate([batch[0] for batch in batches])
        their_logits = np.concatenate([batch[1] for batch in batches])
        off = np.abs(ours - theirs).max(1) / np.linalg.norm(theirs, axis=1)
        logits_off = np.abs(our_logits - their_logits).max(1) / np.linalg.norm(their_logits, axis=1)
        transform = create_transform(**config, is_training=False)
        whole = []
        for photo in photos:
            with torch.inference_mode():
                tensor = transform(Image.open(photo).convert("RGB"))[None]
            whole.append(features(net, tensor)[0][0])
        alike = cosine(ours, np.stack(whole))
        spread = np.std(theirs, axis=0).mean() / np.abs(theirs).mean()
        print(
            f"{name}: {len(photos)} photos, same tensor: features off by {off.max():.1e}, logits by {logits_off.max():.1e}; "
            f"from the bytes: cosine least {alike.min():.6f}, median {np.median(alike):.6f} "
            f"(features vary by {spread:.2f} of their size between photos)",
            flush=True,
        )
        failed |= off.max() > 1e-4 or logits_off.max() > 1e-4 or alike.min() < 0.999
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
