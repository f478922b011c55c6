"""A released checkpoint's names, shapes and type with weights by the golden files' rule, as a torch file.

    python benches/peers/write_release.py FOLDER [--only 64x64_diffusion.pt] [--legacy]

They stand in for the released files where those cannot be had: both sides of a comparison read the same file. Without
`--only`, the 64 pixel net and its classifier.
"""

import argparse
import json
import pathlib

import torch
from rule import weight

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/checkpoints/released_checkpoints.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", nargs="+", default=["64x64_diffusion.pt", "64x64_classifier.pt"])
    parser.add_argument("--legacy", action="store_true", help="the container of PyTorch before 1.6, not a zip")
    args = parser.parse_args()
    released = json.loads(GOLDEN.read_text())
    args.folder.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        prefix = name.removesuffix(".pt") + "/"
        shapes = released[name]["state_dict"]
        state = {key: torch.from_numpy(weight(prefix + key, shape, 1)) for key, shape in shapes.items()}
        torch.save(state, args.folder / name, _use_new_zipfile_serialization=not args.legacy)
        count = sum(tensor.numel() for tensor in state.values())
        print(f"{args.folder / name}: {len(state)} tensors, {count:,} parameters")


if __name__ == "__main__":
    main()
