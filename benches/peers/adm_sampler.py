"""guided-diffusion's own sampling loop on noise that is given to it, and how far another program's images are from its.

    git clone https://github.com/openai/guided-diffusion
    python benches/peers/adm_sampler.py DRAWN.npz --source guided-diffusion --folder FOLDER --respacing ddim3
        [--fp16] [--within 1e-3] [--images SAMPLES.npz]

FOLDER holds 64x64_diffusion.pt and 64x64_classifier.pt. DRAWN.npz, which `cargo bench --bench release` writes, holds the
noise (`x_T`, and `noise.k` of step k), the labels `y`, the guidance `scale`, and what was drawn from them (`x_0`).
SAMPLES.npz holds 8 bit images of the same noise, as `runner export` writes them.
"""

import argparse
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

MODEL = dict(
    image_size=64,
    num_channels=192,
    num_res_blocks=3,
    num_head_channels=64,
    attention_resolutions="32,16,8",
    learn_sigma=True,
    class_cond=True,
    dropout=0.1,
    noise_schedule="cosine",
    use_new_attention_order=True,
    resblock_updown=True,
)


def load(net, path):
    net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return net.eval()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawn")
    parser.add_argument("--source", required=True, help="the clone of guided-diffusion")
    parser.add_argument("--folder", required=True, type=pathlib.Path)
    parser.add_argument("--respacing", required=True, help="guided-diffusion's --timestep_respacing")
    parser.add_argument("--fp16", action="store_true", help="the net converted as its --use_fp16 does")
    parser.add_argument("--within", type=float, help="fail where a value is off by more")
    parser.add_argument("--images")
    args = parser.parse_args()
    sys.path.insert(0, args.source)
    from guided_diffusion import script_util

    drawn = np.load(args.drawn)
    steps = sum(name.startswith("noise.") for name in drawn.files)
    scale = float(drawn["scale"][0])
    y = torch.from_numpy(drawn["y"])
    options = script_util.model_and_diffusion_defaults()
    options |= MODEL | dict(use_fp16=args.fp16, timestep_respacing=args.respacing)
    net, diffusion = script_util.create_model_and_diffusion(**options)
    load(net, args.folder / "64x64_diffusion.pt")
    if args.fp16:
        net.convert_to_fp16()
    options = script_util.classifier_defaults() | dict(image_size=64, classifier_depth=4)
    judge = load(script_util.create_classifier(**options), args.folder / "64x64_classifier.pt")

    def pull(x, t, y):
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            chosen = F.log_softmax(judge(x, t), dim=-1)[range(len(y)), y]
            return torch.autograd.grad(chosen.sum(), x)[0] * scale

    # The loop draws every step's noise by `randn_like`, the last step's too.
    noises = iter(range(steps))
    fresh, torch.randn_like = torch.randn_like, lambda _: torch.from_numpy(drawn[f"noise.{next(noises)}"])
    try:
        x_t = torch.from_numpy(drawn["x_T"])
        x_0 = diffusion.p_sample_loop(
            net, x_t.shape, noise=x_t, model_kwargs={"y": y}, cond_fn=pull, device="cpu"
        )
    finally:
        torch.randn_like = fresh
    off = (x_0 - torch.from_numpy(drawn["x_0"])).abs()
    print(
        f"{len(y)} images, {steps} steps ({args.respacing}), guidance scale {scale:g}{', fp16' if args.fp16 else ''}: "
        f"off by at most {off.max():.2e}, {off.square().mean().sqrt():.2e} r.m.s.; "
        f"{(off > 1e-3).sum()} of {off.numel()} values by more than 1e-3"
    )
    if args.images:
        theirs = ((x_0 + 1) * 127.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
        samples = np.load(args.images)
        images, labels = samples["arr_0"][: len(y)], samples["arr_1"][: len(y)]
        levels = np.abs(images.astype(int) - theirs)
        print(
            f"{args.images}: {(levels > 0).sum()} of {levels.size} bytes differ, by at most {levels.max()}; "
            f"labels {'agree' if (labels == y.numpy()).all() else 'differ'}"
        )
    if args.within is not None and not off.max() <= args.within:
        sys.exit(f"that is more than {args.within:g}")


if __name__ == "__main__":
    main()
