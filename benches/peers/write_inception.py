"""Inception weights by the golden files' rule as a `.pth`, in the layout of pt_inception-2015-12-05-6726825d.pth.

    python benches/peers/write_inception.py OUT.pth [--legacy] [--manifest tests/golden/eval/manifest.json]

They stand in for the released weights where those cannot be had: both sides of a comparison read the same file.
"""

import argparse
import json
import pathlib

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = HERE.parents[1] / "tests/golden/eval/manifest.json"
MASK = (1 << 64) - 1


def signs(key, shape):
    """s in [-1, 1), f32, of every element of the tensor called `key` (tests/golden/README.md, "The weight rule")."""
    h = 0xCBF29CE484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    count = int(np.prod(shape, dtype=np.int64))
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z ^= z >> np.uint64(30)
        z *= np.uint64(0xBF58476D1CE4E5B9)
        z ^= z >> np.uint64(27)
        z *= np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    u = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    return (np.float32(2) * u - np.float32(1)).reshape(shape)


def weight(key, shape, gain):
    s = signs(key, shape)
    if key.endswith("running_mean"):
        return np.float32(0.1) * s
    if key.endswith("running_var"):
        return np.float32(1) + np.float32(0.5) * s
    if len(shape) >= 2:
        fan = s.size / shape[0]
        return np.float32(np.sqrt(3.0 * gain / fan)) * s
    if key.endswith("weight"):
        return np.float32(1) + np.float32(0.1) * s
    return np.float32(0.1) * s


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--legacy", action="store_true", help="the container of PyTorch before 1.6, not a zip")
    parser.add_argument("--manifest", default=MANIFEST)
    args = parser.parse_args()
    cases = json.loads(pathlib.Path(args.manifest).read_text())["cases"]
    case = next(c for c in cases if c["kind"] == "inception")
    state = {}
    for name, shape in case["state_dict"].items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros(shape, dtype=torch.int64)
        else:
            state[name] = torch.from_numpy(weight(case["prefix"] + name, shape, case["gain"]))
    torch.save(state, args.out, _use_new_zipfile_serialization=not args.legacy)
    print(f"{args.out}: {len(state)} tensors")


if __name__ == "__main__":
    main()
