"""Parity of the networks built here with timm's, on seeded weights.

    architectures.py SPARKLES DUMP PHOTOS [NAME…]

SPARKLES is the program, DUMP the example `dump` of sparkles-vision, PHOTOS a folder
of JPEGs. For each network: timm makes it with seeded weights (normalisations
too), saves them as safetensors, a local server offers them as the Hugging Face Hub
does, SPARKLES pulls the backbone from it, and both get the same 50 photos: first as
the same tensor (largest difference relative to the norm of the vector; bound 1e-4),
then from the JPEG bytes on, with timm's own transform (cosine; bound 0.999, for the EfficientNets 0.99, medians
and least are printed). The logits are compared too.

Before that, with the first network: a download that broke off goes on where it
ended, one with another sha256 than declared is refused, a second pull takes the file
from the cache, and a proxy is gone through.

Python 3.11, torch 2.15, timm 1.0.31, safetensors, Pillow, numpy.
"""

import os
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

from hub_server import COMMIT, HubServer

NETWORKS = {
    "inception_v3": "inception_v3.tv_in1k",
    "xception": "legacy_xception.tf_in1k",
    "resnet50": "resnet50.tv_in1k",
    "vgg16": "vgg16.tv_in1k",
    "vgg19": "vgg19.tv_in1k",
    "efficientnet_lite1": "tf_efficientnet_lite1.in1k",
    "efficientnet_lite2": "tf_efficientnet_lite2.in1k",
    "efficientnet_lite3": "tf_efficientnet_lite3.in1k",
    "efficientnet_lite4": "tf_efficientnet_lite4.in1k",
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


def pull(sparkles, hub, cache, name, out, **variables):
    """Runs `backbone pull`; its exit status and what it says."""
    unset = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "HF_TOKEN")
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    environment |= {"HF_ENDPOINT": hub, "HF_HUB_CACHE": str(cache), **variables}
    run = subprocess.run([sparkles, "backbone", "pull", name, "--out", out], env=environment, capture_output=True, text=True)
    return run.returncode, run.stderr


def check_downloads(sparkles, name, weights):
    """What may happen on the way from the hub."""
    repository = f"timm/{NETWORKS[name]}"
    with HubServer({repository: weights}) as hub, tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        gets = lambda: [asked for method, _, asked in hub.requests if method == "GET"]
        hub.break_after = 1_000_000
        status, said = pull(sparkles, hub.url, work / "cache", name, work / "resumed.onnx")
        assert status == 0, said
        assert gets()[-1] == "bytes=1000000-", gets()
        blobs = work / "cache" / f"models--{repository.replace('/', '--')}"
        assert (blobs / "refs/main").read_text() == COMMIT
        pointer = blobs / "snapshots" / COMMIT / "model.safetensors"
        assert pointer.resolve().name == hub.hashes[repository]

        before = len(gets())
        status, said = pull(sparkles, hub.url, work / "cache", name, work / "again.onnx")
        assert status == 0 and len(gets()) == before, said
        assert (work / "again.onnx").read_bytes() == (work / "resumed.onnx").read_bytes()

        hub.lie = True
        status, said = pull(sparkles, hub.url, work / "other", name, work / "wrong.onnx")
        assert status == 1 and "sha256" in said and not (work / "wrong.onnx").exists(), said
        assert not [path for path in (work / "other").rglob("*") if path.is_file() and path.stat().st_size > 1000]
        hub.lie = False

        status, said = pull(sparkles, "http://hub.invalid", work / "proxied", name, work / "proxied.onnx", HTTP_PROXY=hub.url)
        assert status == 0 and ("CONNECT", "hub.invalid:80", None) in hub.requests, said
        status, said = pull(sparkles, "http://127.0.0.1:9", work / "none", name, work / "none.onnx")
        assert status == 1 and "hint:" in said, said
    print(f"{name}: resumes, is refused with another sha256, comes from the cache, goes through a proxy", flush=True)


def features(net, tensor):
    """Pooled features and logits."""
    with torch.inference_mode():
        maps = net.forward_features(tensor)
        if isinstance(net, timm.models.VGG):  # the maps before the hidden layers
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
    for at, name in enumerate(names or NETWORKS):
        net = seeded(NETWORKS[name].split(".")[0])
        with tempfile.TemporaryDirectory() as work:
            weights, backbone = pathlib.Path(work, "model.safetensors"), pathlib.Path(work, f"{name}.onnx")
            save_file({key: value.contiguous() for key, value in net.state_dict().items()}, weights)
            if at == 0:
                check_downloads(sparkles, name, weights)
            with HubServer({f"timm/{NETWORKS[name]}": weights}) as hub:
                status, said = pull(sparkles, hub.url, pathlib.Path(work, "cache"), name, backbone)
            assert status == 0, said
            config = resolve_model_data_config(net, pretrained_cfg=timm.get_pretrained_cfg(NETWORKS[name]).to_dict())
            side = config["input_size"][1]
            tensors = dump(program, "tensor", photos, backbone, 3 * side * side).reshape(-1, 3, side, side)
            dimension = {"vgg": 512, "eff": 1280}.get(name[:3], 2048)
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
        failed |= off.max() > 1e-4 or logits_off.max() > 1e-4 or alike.min() < (0.99 if name.startswith("efficientnet") else 0.999)
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
