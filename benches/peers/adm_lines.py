"""The five lines of the ADM evaluator, computed apart from this program: features by torch-fidelity's Inception (which
resizes as the evaluator's TensorFlow graph does), the rest by guided-diffusion's formulas in NumPy.

    python benches/peers/write_inception.py rule.pth
    python benches/peers/adm_lines.py tests/golden/eval/images rule.pth > tests/commands/evaluator/five_lines.txt

The reference is the six CIFAR images as they are and mirrored, the samples are the same upside down and with a quarter of
each value's distance from white: twelve against twelve, so that singular covariances are met and some images lie outside.
"""

import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog"]


def images(folder):
    read = lambda name: np.asarray(Image.open(pathlib.Path(folder) / f"cifar_{name}_0.png").convert("RGB"))
    plain = [read(name) for name in NAMES]
    real = [turn(x) for x in plain for turn in (lambda x: x, lambda x: x[:, ::-1])]
    made = [turn(x) for x in plain for turn in (lambda x: x[::-1], lambda x: 255 - (255 - x) // 4)]
    return np.stack(real), np.stack(made)


def features(net, batch):
    """pool_3 [n, 2048], the first 7 channels of mixed_6/conv in NHWC [n, 2023], class probabilities [n, 1008]."""
    spatial = []
    hook = net.Mixed_6d.branch1x1.register_forward_hook(lambda _, __, out: spatial.append(out))
    with torch.no_grad():
        pool, logits = net(torch.from_numpy(batch.transpose(0, 3, 1, 2).copy()))
    hook.remove()
    spatial = spatial[0][:, :7].permute(0, 2, 3, 1).reshape(len(batch), -1)
    # The graph's softmax has no bias: its input is `softmax/logits/MatMul`.
    return pool.double().numpy(), spatial.double().numpy(), torch.softmax(logits.double(), 1).numpy()


def frechet(a, b):
    """With covariances over n - 1; the trace of the root of their product is a nuclear norm, exact where they are singular."""
    mu = a.mean(0) - b.mean(0)
    x, y = ((f - f.mean(0)) / np.sqrt(len(f) - 1) for f in (a, b))
    root = np.linalg.svd(x @ y.T, compute_uv=False).sum()
    return mu @ mu + (x**2).sum() + (y**2).sum() - 2 * root


def inception_score(p):
    """One split: there are fewer images than 5,000."""
    kl = (p * (np.log(p) - np.log(p.mean(0)))).sum(1)
    return np.exp(kl.mean())


def squared(a, b):
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def covered(by, points):
    """The share of `points` within the hypersphere of any of `by`, which reaches its third nearest neighbour."""
    radii = np.sort(squared(by, by), axis=1)[:, 3]
    return (squared(points, by) <= radii).any(1).mean()


def main():
    folder, weights = sys.argv[1:]
    net = FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], feature_extractor_weights_path=weights)
    net.eval()
    real, made = (features(net, batch) for batch in images(folder))
    print("Inception Score:", inception_score(made[2]))
    print("FID:", frechet(made[0], real[0]))
    print("sFID:", frechet(made[1], real[1]))
    print("Precision:", covered(real[0], made[0]))
    print("Recall:", covered(made[0], real[0]))


main()
