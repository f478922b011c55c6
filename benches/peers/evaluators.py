"""The published evaluators beside this one, on the same files and weights, from one command:

    python benches/peers/write_inception.py /tmp/inception.pth        # or the released weights
    cargo build --release
    python benches/peers/evaluators.py SAMPLES REFERENCE --weights /tmp/inception.pth [--limit 200] [--out FILE.json]

SAMPLES and REFERENCE are folders or tars of images; they are laid out flat under --cache, in sorted order, because
pytorch-fid and torch-fidelity look into one folder only. Needs `benches/peers/evaluators.txt` (PyPI only). Two things
are changed in the peers at run time, in memory: weights come from --weights instead of a download, and SciPy's
`sqrtm(..., disp=False)`, whose `disp` SciPy 1.18 removed, answers as it did before: (root, estimated error).
Every peer runs as its own command line would, on the CPU; torch-fidelity with Inception for all of its metrics.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time

HERE = pathlib.Path(__file__).resolve().parent
RUNNER = HERE.parents[1] / "target/release/runner"
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
# Our preset, and which of the peer's numbers stand for which of ours.
TOOLS = {
    "pytorch-fid": {"FID": "fid"},
    "torch-fidelity": {
        "frechet_inception_distance": "fid",
        "inception_score_mean": "is",
        "inception_score_std": "is-std",
        "kernel_inception_distance_mean": "kid",
        "kernel_inception_distance_std": "kid-std",
        "precision": "precision",
        "recall": "recall",
    },
    "clean-fid": {"FID": "fid"},
}


def lay_out(source, cache, limit):
    """The first `limit` images of a folder or tar as files 000000.png and so on in a folder of their own."""
    source = pathlib.Path(source).resolve()
    out = pathlib.Path(cache) / f"{source.parent.name}-{source.stem}-{limit or 'all'}"
    done = out.with_suffix(".done")
    if done.exists():
        return out
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    picture = lambda name: name.lower().endswith(ENDINGS) and not os.path.basename(name).startswith(".")
    if source.is_dir():
        for i, path in enumerate(sorted(str(p) for p in source.rglob("*") if picture(p.name))[:limit]):
            (out / f"{i:06}{pathlib.Path(path).suffix}").symlink_to(path)
    else:
        with tarfile.open(source) as tar:
            members = sorted((m for m in tar if m.isfile() and picture(m.name)), key=lambda m: m.name)
            for i, member in enumerate(members[:limit]):
                (out / f"{i:06}{pathlib.Path(member.name).suffix}").write_bytes(tar.extractfile(member).read())
    done.touch()
    return out


def patch_scipy():
    import inspect

    import scipy.linalg

    if "disp" in inspect.signature(scipy.linalg.sqrtm).parameters:
        return
    plain = scipy.linalg.sqrtm

    def sqrtm(a, disp=True, **kwargs):
        root = plain(a, **kwargs)
        return root if disp else (root, None)

    scipy.linalg.sqrtm = sqrtm


def state_dict(weights):
    import torch

    return torch.load(weights, map_location="cpu", weights_only=True)


def pytorch_fid(samples, reference, weights):
    patch_scipy()
    from pytorch_fid import fid_score, inception

    inception.load_state_dict_from_url = lambda *_, **__: state_dict(weights)
    paths = [str(samples), str(reference)]
    return {"FID": float(fid_score.calculate_fid_given_paths(paths, 50, "cpu", 2048, num_workers=os.cpu_count()))}


def torch_fidelity(samples, reference, weights):
    import torch_fidelity as tool

    smallest = min(len(os.listdir(samples)), len(os.listdir(reference)))
    answer = tool.calculate_metrics(
        input1=str(samples),
        input2=str(reference),
        isc=True,
        fid=True,
        kid=True,
        prc=True,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(weights),
        # Its default of 1000 is an error for smaller sets.
        kid_subset_size=min(1000, smallest),
        cuda=False,
        cache=False,
        verbose=False,
    )
    return {name: float(value) for name, value in answer.items()}


def clean_fid(samples, reference, weights):
    """clean-fid in mode `clean`, its TorchScript network replaced by the same network in pytorch-fid's clothes."""
    patch_scipy()
    import torch
    from cleanfid import fid, inception_pytorch

    inception_pytorch.load_state_dict_from_url = lambda *_, **__: state_dict(weights)
    net = inception_pytorch.InceptionV3([3], resize_input=False, normalize_input=False).eval()
    model = lambda x: net((x - 128) / 128)[0].squeeze(-1).squeeze(-1)
    device = torch.device("cpu")
    sides = [
        fid.get_folder_features(
            str(folder), model, num_workers=os.cpu_count(), batch_size=32, device=device, mode="clean", verbose=False
        )
        for folder in (samples, reference)
    ]
    return {"FID": float(fid.fid_from_feats(*sides))}


PEERS = {"pytorch-fid": pytorch_fid, "torch-fidelity": torch_fidelity, "clean-fid": clean_fid}


def ours(runner, preset, samples, reference, weights):
    """Our numbers by metric, from `runner score --json`."""
    command = [runner, "score", samples, "--reference", reference, "--weights", weights, "--preset", preset, "--json"]
    start = time.perf_counter()
    answer = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, check=True)
    seconds = time.perf_counter() - start
    # One object a line.
    return dict(numbers([json.loads(line) for line in answer.stdout.splitlines()])), seconds


def numbers(answer):
    """Every (metric, value) in the answer, however deep: `{"metric": .., "value": ..}` or `{"fid": ..}`."""
    if isinstance(answer, list):
        for part in answer:
            yield from numbers(part)
    elif isinstance(answer, dict):
        if isinstance(answer.get("metric"), str) and isinstance(answer.get("value"), (int, float)):
            yield answer["metric"], float(answer["value"])
        for name, part in answer.items():
            if isinstance(part, (dict, list)):
                yield from numbers(part)
            elif isinstance(part, (int, float)) and not isinstance(part, bool):
                yield name, float(part)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples")
    parser.add_argument("reference")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--limit", type=int, help="images of each set")
    parser.add_argument("--cache", default="/tmp/runner-evaluators")
    parser.add_argument("--tools", nargs="+", choices=PEERS, default=["pytorch-fid", "torch-fidelity"])
    parser.add_argument("--runner", default=RUNNER)
    parser.add_argument("--peers-only", action="store_true", help="do not run ours")
    parser.add_argument("--out", help="a JSON file of all numbers")
    args = parser.parse_args()
    weights = pathlib.Path(args.weights).resolve()
    samples, reference = (lay_out(s, args.cache, args.limit) for s in (args.samples, args.reference))
    report = {"samples": str(samples), "reference": str(reference), "weights": str(weights), "tools": {}}
    print(f"{'tool':<16}{'quantity':<34}{'theirs':>16}{'ours':>16}{'relative':>11}")
    for tool in args.tools:
        start = time.perf_counter()
        # Progress bars and remarks go to the error stream, so that the table stays whole.
        with contextlib.redirect_stdout(sys.stderr):
            theirs = PEERS[tool](samples, reference, weights)
        seconds = time.perf_counter() - start
        entry = {"theirs": theirs, "their_seconds": seconds}
        mine, my_seconds = {}, None
        if not args.peers_only:
            mine, my_seconds = ours(args.runner, tool, samples, reference, weights)
            entry.update(ours=mine, our_seconds=my_seconds)
        report["tools"][tool] = entry
        for name, metric in TOOLS[tool].items():
            value, other = theirs[name], mine.get(metric, mine.get(name))
            gap = "" if other is None else f"{abs(other - value) / max(abs(value), 1e-300):.2e}"
            print(f"{tool:<16}{name:<34}{value:>16.9g}{'-' if other is None else f'{other:.9g}':>16}{gap:>11}")
        ratio = "" if my_seconds is None else f"{seconds / my_seconds:.2f}x"
        print(f"{tool:<16}{'seconds':<34}{seconds:>16.1f}{'-' if my_seconds is None else f'{my_seconds:.1f}':>16}{ratio:>11}", flush=True)
        # After every tool: the slow ones are not to be run again for a later one's failure.
        if args.out:
            pathlib.Path(args.out).parent.mkdir(parents=True, exist_ok=True)
            pathlib.Path(args.out).write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
