"""Prints the table of tests/data/pixels.rs: what the evaluators' own code makes of some images, as digests of f32 bits.

    python tests/pictures/inputs.py        # needs benches/peers/evaluators.txt and a CPU with AVX2
"""

import hashlib
import pathlib
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from cleanfid.resize import build_resizer
from PIL import Image
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torchvision.transforms.functional import to_tensor

warnings.filterwarnings("ignore")
TESTS = pathlib.Path(__file__).resolve().parents[1]
IMAGES = [
    "golden/eval/images/cifar_cat_0.png",
    "golden/eval/images/blob_48x80.png",
    "golden/eval/images/blob_299x299.png",
    "golden/eval/images/blob_512x512.png",
    "pictures/420.jpg",
    "pictures/thin.jpg",
]


def inputs(path):
    image = Image.open(path).convert("RGB")
    pixels = np.array(image)
    bytes_ = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float()
    tf1 = interpolate_bilinear_2d_like_tensorflow1x(bytes_, size=(299, 299), align_corners=False)
    yield (tf1 - 128) / 128
    yield 2 * F.interpolate(to_tensor(image)[None], size=(299, 299), mode="bilinear", align_corners=False) - 1
    yield 2 * (to_tensor(build_resizer("legacy_pytorch")(pixels)) / 255) - 1
    yield (to_tensor(build_resizer("clean")(pixels)) - 128) / 128


for name in IMAGES:
    digests = [hashlib.sha256(x.numpy().astype("<f4").tobytes()).hexdigest()[:16] for x in inputs(TESTS / name)]
    print(f'    ("{name}", {digests}),'.replace("'", '"'))
