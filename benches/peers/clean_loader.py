"""clean-fid's side of the loader benchmark: its own dataset and PyTorch's loader over one folder.

    python clean_loader.py FOLDER WORKERS

Says what it is, then answers every line of input with the images a second of one pass; its workers stay alive.
"""

import sys
import time

import PIL
import torch
from cleanfid.fid import ResizeDataset
from glob import glob

torch.set_num_threads(1)
folder, workers = sys.argv[1], int(sys.argv[2])
files = sorted(glob(f"{folder}/*.jpg"))
loader = torch.utils.data.DataLoader(
    ResizeDataset(files, mode="clean"), batch_size=32, num_workers=workers, persistent_workers=True
)


def one_pass():
    start = time.perf_counter()
    seen = sum(len(batch) for batch in loader)
    assert seen == len(files)
    return seen / (time.perf_counter() - start)


one_pass()
print(f"clean-fid with Pillow {PIL.__version__}, {workers} workers", flush=True)
for _ in sys.stdin:
    print(one_pass(), flush=True)
