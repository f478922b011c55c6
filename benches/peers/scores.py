"""The evaluators' side of the benchmarks: distances of the moments and features in raw files of numbers."""

import numpy as np
import torch


def moments(path, d):
    flat = np.fromfile(path, np.float64)
    first, second = flat[: d + d * d], flat[d + d * d :]
    return [(m[:d], m[d:].reshape(d, d)) for m in (first, second)]


def pytorch_fid(path, d):
    from pytorch_fid.fid_score import calculate_frechet_distance

    (m1, s1), (m2, s2) = moments(path, d)
    return lambda: calculate_frechet_distance(m1, s1, m2, s2)


def torch_fidelity_fid(path, d):
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    a, b = (dict(mu=m, sigma=s) for m, s in moments(path, d))
    return lambda: fid_statistics_to_metric(a, b, False)


def features(paths, d):
    return [torch.from_numpy(np.fromfile(p, np.float32).reshape(-1, d)) for p in paths]


def torch_fidelity_prc(made, real, d):
    from torch_fidelity.metric_prc import calculate_precision_recall_full

    x, y = features([made, real], d)
    return lambda: calculate_precision_recall_full(x, y, 3, 10000)


def torch_fidelity_kid(made, real, d):
    from torch_fidelity.metric_kid import kid_features_to_metric

    x, y = features([made, real], d)
    return lambda: kid_features_to_metric(x, y, verbose=False)


SCORES = {f.__name__: f for f in (pytorch_fid, torch_fidelity_fid, torch_fidelity_prc, torch_fidelity_kid)}
