"""Makes dialects.json: what torch-fidelity 0.4.0, clean-fid 0.1.35 and the rules of dgm-eval and the ADM evaluator answer.

Run in this folder: pip install torch-fidelity==0.4.0 clean-fid==0.1.35 scipy safetensors numpy torch; python dialects.py
Features are those of manifest.json, in f64 where a program takes them so; dgm-eval has no release and the ADM
evaluator needs TensorFlow 1, so their rules are written out here in NumPy.
"""
import json
import numpy as np
import torch
from cleanfid.fid import kernel_distance
from safetensors.numpy import load_file
from scipy.stats import entropy
from torch_fidelity.metric_kid import kid_features_to_metric

MASK = (1 << 64) - 1


def noise(key, shape):
    h = 0xCBF29CE484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        i = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64)
        z = np.uint64(h) + i * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    u = (z >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)
    return (np.float32(3**0.5) * (np.float32(2) * u - np.float32(1))).reshape(shape)


def sets(case):
    recipe = case["recipe"]
    arrays = load_file(case["name"] + ".safetensors")
    if "generated" in arrays:
        return arrays["generated"], arrays["real"]
    d = recipe["d"]
    mix = noise("wide/mix", (d, d)).astype(np.float64) / np.sqrt(d)
    made = []
    for i, (which, letter) in enumerate([("generated", "a"), ("real", "b")]):
        z = noise(f"{recipe['name']}.{letter}/z", (recipe[f"n_{which}"], d)).astype(np.float64)
        made.append(np.maximum(z @ mix * recipe["scale"][i] + recipe["shift"][i], 0).astype(np.float32))
    return made


def f16(x):
    return x.astype(np.float16).astype(np.float32)


def adm_distances(u, v):
    with np.errstate(over="ignore", invalid="ignore"):
        u, v = f16(u), f16(v)
        a, b = f16(f16(u * u).sum(1)), f16(f16(v * v).sum(1))
        d = f16(f16(a[:, None] - f16(2 * f16(u @ v.T))) + b[None])
    assert np.isfinite(d).all()
    return np.maximum(d, 0)


def adm(real, made):
    radii = [np.partition(adm_distances(x, x), 3, axis=1)[:, 3] for x in (real, made)]
    d = adm_distances(real, made)
    return (d <= radii[0][:, None]).any(0).mean(), (d <= radii[1][None]).any(1).mean()


out = {}
for case in json.load(open("manifest.json"))["cases"]:
    if case["kind"] == "metrics":
        made, real = sets(case)
        size = min(1000, len(made), len(real)) * 4 // 5
        wide = [torch.from_numpy(x.astype(np.float64)) for x in (made, real)]
        kid = kid_features_to_metric(*wide, kid_subset_size=size, verbose=False)
        np.random.seed(2020)
        clean = kernel_distance(*(x.numpy() for x in wide))
        precision, recall = adm(real, made)
        out[case["name"]] = {
            "size": size,
            "kid_torch_fidelity_mean": kid["kernel_inception_distance_mean"],
            "kid_torch_fidelity_std": kid["kernel_inception_distance_std"],
            "kid_clean_fid": clean,
            "adm_precision": float(precision),
            "adm_recall": float(recall),
        }
    if case["kind"] == "inception_score":
        logits = 2 * noise("is/logits", (5003, 100)).astype(np.float64)
        p = np.exp(logits - logits.max(1, keepdims=True))
        p = (p / p.sum(1, keepdims=True))[np.random.RandomState(2020).permutation(5003)]
        scores = []
        for k in range(10):
            part = p[k * 500 : (k + 1) * 500]
            scores.append(np.exp(np.mean([entropy(row, part.mean(0)) for row in part])))
        out["inception_score"] = {"dgm_eval_mean": float(np.mean(scores)), "dgm_eval_std": float(np.std(scores))}
json.dump(out, open("dialects.json", "w"), indent=1)
