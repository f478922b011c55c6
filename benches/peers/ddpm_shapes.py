"""A class-conditional DDPM in PyTorch, trained and sampled with classifier-free guidance: somebody else's sampler for
`runner sweep benches/peers/ddpm_shapes.toml`.

  ddpm_shapes.py train  --data shapes16.npz --out FOLDER [--steps N] [--seed S]
  ddpm_shapes.py sample --checkpoint FOLDER --out FOLDER --count N [--first I] [--cfg-scale W] [--steps N] [--seed S]

Noise and label of image i come from (seed, i) alone."""

import argparse
import math
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

T = 1000
# The squared-cosine schedule (arXiv:2102.09672, eq. 17).
GRID = np.cos((np.arange(T + 1) / T + 0.008) / 1.008 * math.pi / 2) ** 2
ALPHA_BAR = torch.tensor(np.cumprod(1 - np.minimum(1 - GRID[1:] / GRID[:-1], 0.999)), dtype=torch.float32)


class Block(nn.Module):
    def __init__(self, inputs, outputs, embedding):
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(8, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.shift = nn.Linear(embedding, 2 * outputs)
        self.norm = nn.GroupNorm(8, outputs)
        self.last = nn.Conv2d(outputs, outputs, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, e):
        h = self.first(x)
        scale, shift = self.shift(e)[:, :, None, None].chunk(2, 1)
        h = self.last(F.silu(self.norm(h) * (1 + scale) + shift))
        return self.skip(x) + h


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(8, channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, x):
        n, c, h, w = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, 3, c, h * w).transpose(2, 3).unbind(1)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, c, h, w)
        return x + self.out(mixed)


class Net(nn.Module):
    """(x [n, 3, 16, 16], t, label) -> noise; the label after the last class stands for none."""

    def __init__(self, classes, width=48):
        super().__init__()
        self.classes, self.width, e = classes, width, 4 * width
        self.time = nn.Sequential(nn.Linear(width, e), nn.SiLU(), nn.Linear(e, e))
        self.label = nn.Embedding(classes + 1, e)
        self.enter = nn.Conv2d(3, width, 3, padding=1)
        self.down = nn.ModuleList([Block(width, width, e), Block(width, 2 * width, e), Block(2 * width, 2 * width, e)])
        self.middle = nn.ModuleList([Block(2 * width, 2 * width, e), Attention(2 * width), Block(2 * width, 2 * width, e)])
        self.up = nn.ModuleList([Block(4 * width, 2 * width, e), Block(4 * width, width, e), Block(2 * width, width, e)])
        self.leave = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x, t, y):
        rates = torch.exp(-math.log(1e4) * torch.arange(self.width // 2) / (self.width // 2))
        angles = t[:, None].float() * rates[None]
        e = F.silu(self.time(torch.cat([angles.cos(), angles.sin()], 1)) + self.label(y))
        h = self.enter(x)
        a = self.down[0](h, e)
        b = self.down[1](F.avg_pool2d(a, 2), e)
        c = self.down[2](F.avg_pool2d(b, 2), e)
        h = self.middle[2](self.middle[1](self.middle[0](c, e)), e)
        h = self.up[0](torch.cat([h, c], 1), e)
        h = self.up[1](torch.cat([F.interpolate(h, scale_factor=2), b], 1), e)
        h = self.up[2](torch.cat([F.interpolate(h, scale_factor=2), a], 1), e)
        return self.leave(h)


def train(asked):
    torch.manual_seed(asked.seed)
    data = np.load(asked.data)
    images = torch.tensor(data["arr_0"]).permute(0, 3, 1, 2).float() / 127.5 - 1
    labels = torch.tensor(data["arr_1"])
    classes = int(labels.max()) + 1
    net, best = Net(classes), Net(classes)
    best.load_state_dict(net.state_dict())
    path = os.path.join(asked.out, "resume.pt")
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0)
    begun = 0
    if os.path.exists(path):
        kept = torch.load(path)
        begun = kept["step"]
        net.load_state_dict(kept["net"]), best.load_state_dict(kept["best"]), optimizer.load_state_dict(kept["optimizer"])
        print(f"goes on from step {begun}")
    for step in range(begun, asked.steps):
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 200) * (0.5 + 0.5 * math.cos(math.pi * step / asked.steps))
        rng = torch.Generator().manual_seed(asked.seed * 1_000_003 + step)
        at = torch.randint(len(images), (asked.batch,), generator=rng)
        t = torch.randint(T, (asked.batch,), generator=rng)
        noise = torch.randn(asked.batch, 3, 16, 16, generator=rng)
        y = torch.where(torch.rand(asked.batch, generator=rng) < 0.1, classes, labels[at])
        a = ALPHA_BAR[t][:, None, None, None]
        loss = F.mse_loss(net(a.sqrt() * images[at] + (1 - a).sqrt() * noise, t, y), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            keep = min(0.999, (1 + step) / (10 + step))
            for mean, now in zip(best.parameters(), net.parameters()):
                mean.lerp_(now, 1 - keep)
        if (step + 1) % 200 == 0:
            print(f"step {step + 1} of {asked.steps}, loss {loss.item():.4f}", flush=True)
            state = {"step": step + 1, "net": net.state_dict(), "best": best.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save(state, path + ".part")
            os.replace(path + ".part", path)
    torch.save({"classes": classes, "weights": best.state_dict()}, os.path.join(asked.out, "model.pt"))
    if os.path.exists(path):
        os.remove(path)


@torch.no_grad()
def sample(asked):
    kept = torch.load(os.path.join(asked.checkpoint, "model.pt"))
    net = Net(kept["classes"])
    net.load_state_dict(kept["weights"])
    times = np.linspace(T - 1, 0, asked.steps).round().astype(int)
    drawn, labels = [], []
    for first in range(asked.first, asked.first + asked.count, 64):
        images = range(first, min(first + 64, asked.first + asked.count))
        noise = [torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(asked.seed * 1_000_003 + i)) for i in images]
        x = torch.stack(noise)
        y = torch.tensor([i % net.classes for i in images])
        for n, t in enumerate(times):  # DDIM, eta 0 (arXiv:2010.02502, eq. 12)
            at = torch.full((len(x),), int(t))
            eps = net(x, at, y)
            if asked.cfg_scale != 0:  # (1 + w) conditional - w unconditional (arXiv:2207.12598, eq. 6)
                eps = eps + asked.cfg_scale * (eps - net(x, at, torch.full_like(y, net.classes)))
            now = ALPHA_BAR[t]
            before = ALPHA_BAR[times[n + 1]] if n + 1 < len(times) else torch.tensor(1.0)
            x0 = ((x - (1 - now).sqrt() * eps) / now.sqrt()).clamp(-1, 1)
            eps = (x - now.sqrt() * x0) / (1 - now).sqrt()
            x = before.sqrt() * x0 + (1 - before).sqrt() * eps
        drawn.append(((x + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy())
        labels += y.tolist()
        print(f"{len(labels)} of {asked.count} images", flush=True)
    np.savez(os.path.join(asked.out, "samples.npz"), arr_0=np.concatenate(drawn), arr_1=np.array(labels))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("what", choices=["train", "sample"])
    arguments.add_argument("--data")
    arguments.add_argument("--checkpoint")
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--steps", type=int, default=25)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--count", type=int)
    arguments.add_argument("--first", type=int, default=0)
    arguments.add_argument("--cfg-scale", type=float, default=0)
    arguments.add_argument("--seed", type=int, default=0)
    asked = arguments.parse_args()
    {"train": train, "sample": sample}[asked.what](asked)


if __name__ == "__main__":
    main()
