"""Inception weights by the golden files' rule as a `.pth`, in the layout of pt_inception-2015-12-05-6726825d.pth.

    python benches/peers/write_inception.py OUT.pth [--legacy] [--manifest tests/golden/eval/manifest.json]

They stand in for the released weights where those cannot be had: both sides of a comparison read the same file.
"""

import argparse
import json
import pathlib

import torch
from rule import weight

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = HERE.parents[1] / "tests/golden/eval/manifest.json"


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
