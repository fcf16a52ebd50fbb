"""A model that `sparkles model export` wrote, scored by ONNX Runtime.

    exported.py SPARKLES DUMP MODEL PHOTOS

MODEL is a trained model, PHOTOS a folder of photos, DUMP the example `dump` of
sparkles-vision. Both get the same input tensors; predictions must agree and
probabilities may differ by 1e-5. Then the tensors are made by Pillow, as the card in
the exported file says, and the differences that other decoders make are printed.

Python 3.11, onnxruntime 1.32, onnx 1.23, Pillow 13.0, numpy 2.4.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

from onnxruntime_bench import tensor as pillow_tensor


def main():
    sparkles, dump, model, folder = sys.argv[1:]
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        file = work / "exported.onnx"
        run = [sparkles, "model", "export", model, "--to", "onnx", "--out", file, "--format", "json"]
        summary = json.loads(subprocess.run(run, check=True, capture_output=True).stdout)
        onnx.checker.check_model(str(file), full_check=True)
        run = [sparkles, "predict", model, folder, "--format", "json"]
        lines = subprocess.run(run, capture_output=True, text=True).stdout.splitlines()
        rows = [row for row in map(json.loads, lines) if "prediction" in row]
        paths = [row["location"] for row in rows]
        subprocess.run([dump, "tensor", work, file], input="\n".join(paths), text=True, check=True, stdout=subprocess.DEVNULL)

        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        metadata = session.get_modelmeta().custom_metadata_map
        labels = json.loads(metadata["sparkles.labels"])
        assert labels == summary["labels"]
        card = {key.removeprefix("sparkles."): value for key, value in metadata.items()}
        outputs = [summary["probability"], summary["prediction"]]
        shape = [1, 3, int(card["input_height"]), int(card["input_width"])]
        off, pillow_off, pillow_other = [], [], 0
        for at, row in enumerate(rows):
            ours = np.array([row["probability"][label] for label in labels])
            tensor = np.fromfile(work / f"{at}.bin", "<f4").reshape(shape)
            probability, prediction = session.run(outputs, {summary["input"]: tensor})
            assert labels[prediction[0]] == row["prediction"], row
            off.append(np.abs(probability[0] - ours).max())
            probability, prediction = session.run(outputs, {summary["input"]: pillow_tensor(row["location"], card)})
            pillow_off.append(np.abs(probability[0] - ours).max())
            pillow_other += labels[prediction[0]] != row["prediction"]
        # All images in one batch, as a server would send them.
        batch = np.stack([np.fromfile(work / f"{at}.bin", "<f4").reshape(shape[1:]) for at in range(8)])
        (together,) = session.run(outputs[:1], {summary["input"]: batch})
        for at, row in enumerate(rows[:8]):
            assert np.abs(together[at] - [row["probability"][label] for label in labels]).max() < 1e-5
    print(
        f"{len(rows)} photos, the same tensors: all predictions agree, probabilities off by at most {max(off):.1e}; "
        f"with Pillow's tensors: {pillow_other} predictions differ, probabilities off by {np.median(pillow_off):.1e} (median), {max(pillow_off):.1e} (most)"
    )
    assert max(off) <= 1e-5


if __name__ == "__main__":
    main()
