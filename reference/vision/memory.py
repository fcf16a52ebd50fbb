"""Peak memory of decodes and of the engine, against what the crate announces.

    cargo build -p sparkles-vision --example dump
    python memory.py DUMP_BINARY decode TINY.onnx FILE...
    python memory.py DUMP_BINARY engine PHOTO BACKBONE.onnx...

Linux: the high-water mark of the process is reset once the backbone is loaded, so
what is printed is the growth by the photos alone; give `engine` a small one. `decode` includes the bytes of
the file, which the process holds, and the tensor; `bound` is decode_bytes.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time


def status(process, key):
    for line in open(f"/proc/{process.pid}/status"):
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def grown(binary, kind, paths, backbone):
    """Bytes before the photos, the most more during them, and the last line."""
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, kind, folder, backbone]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(2)  # The backbone is loaded before the first line is read.
        pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")
        before = status(process, "VmRSS")
        process.stdin.write("".join(f"{path}\n" for path in paths))
        process.stdin.flush()
        last = [process.stdout.readline() for _ in paths][-1].rstrip("\n").split("\t")
        most = status(process, "VmHWM")
        process.stdin.close()
        process.wait()
        return before, most - before, last


def main():
    binary, what, first, *rest = sys.argv[1:]
    if what == "decode":
        for path in rest:
            _, more, (_, outcome, _, _, _, bound, _) = grown(binary, "tensor", [path], first)
            file, bound = os.path.getsize(path), int(bound)
            over = "OVER" if more > bound + file else ""
            print(f"{path}\t{outcome}\tused {more / 1e6:.2f} MB, of it the file {file / 1e6:.2f}, "
                  f"bound {bound / 1e6:.2f} {over}")
    else:
        for backbone in rest:
            before, more, _ = grown(binary, "features", [first] * 12, backbone)
            print(f"{backbone}\tloaded {before / 1e6:.1f} MB, running {more / 1e6:.1f} MB more")


if __name__ == "__main__":
    main()
