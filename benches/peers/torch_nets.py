"""ADM's UNet and noisy classifier in plain PyTorch, for timing only: built from the `trunk` table of the request.

Each runs in one of several ways, by name: `contiguous` tensors (plain NCHW), `channels_last`, and both with `compiled` before
them, by `torch.compile`.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def norm(channels, groups):
    return nn.GroupNorm(groups, channels)


class Res(nn.Module):
    def __init__(self, cin, cout, emb, groups, resample=None):
        super().__init__()
        self.norm_in, self.conv_in = norm(cin, groups), nn.Conv2d(cin, cout, 3, padding=1)
        self.emb = nn.Linear(emb, 2 * cout)
        self.norm_out, self.conv_out = norm(cout, groups), nn.Conv2d(cout, cout, 3, padding=1)
        self.skip = nn.Identity() if cin == cout else nn.Conv2d(cin, cout, 1)
        self.resample = resample

    def resized(self, x):
        if self.resample == "up":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self.resample == "down" else x

    def forward(self, x, emb):
        h = self.conv_in(self.resized(F.silu(self.norm_in(x))))
        scale, shift = self.emb(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.conv_out(F.silu(self.norm_out(h) * (1 + scale) + shift))
        return self.skip(self.resized(x)) + h


class Attention(nn.Module):
    def __init__(self, channels, per_head, groups):
        super().__init__()
        self.heads = channels // per_head
        self.norm = norm(channels, groups)
        self.qkv, self.out = nn.Conv1d(channels, 3 * channels, 1), nn.Conv1d(channels, channels, 1)

    def forward(self, x, emb):
        n, c, h, w = x.shape
        tokens = x.reshape(n, c, h * w)
        return (tokens + self.out(attend(self.qkv(self.norm(tokens)), self.heads))).reshape(n, c, h, w)


def attend(qkv, heads):
    n, width, length = qkv.shape
    d = width // 3 // heads
    q, k, v = (part.reshape(n * heads, d, length) for part in qkv.chunk(3, dim=1))
    weight = torch.einsum("bct,bcs->bts", q * d**-0.25, k * d**-0.25)
    return torch.einsum("bts,bcs->bct", torch.softmax(weight, dim=-1), v).reshape(n, width // 3, length)


class Trunk(nn.Module):
    """The time embedding and the way down, to the middle."""

    def __init__(self, trunk):
        super().__init__()
        base, mult = trunk["channels"], trunk["channel_mult"]
        self.groups = trunk["norm_groups"]
        self.base, self.attention = base, [trunk["resolution"] // p for p in trunk["attention"]]
        self.time = nn.Sequential(nn.Linear(base, 4 * base), nn.SiLU(), nn.Linear(4 * base, 4 * base))
        self.channels, self.factor = int(mult[0] * base), 1
        self.widths = [self.channels]
        self.blocks = nn.ModuleList([nn.ModuleList([nn.Conv2d(trunk["in_channels"], self.channels, 3, padding=1)])])
        for level, m in enumerate(mult):
            for _ in range(trunk["res_blocks"]):
                self.blocks.append(self.block(trunk, self.channels, int(m * base)))
                self.widths.append(self.channels)
            if level + 1 < len(mult):
                self.blocks.append(nn.ModuleList([Res(self.channels, self.channels, 4 * base, self.groups, "down")]))
                self.widths.append(self.channels)
                self.factor *= 2
        c = self.channels
        first, last = (Res(c, c, 4 * base, self.groups) for _ in range(2))
        self.middle = nn.ModuleList([first, Attention(c, trunk["channels_per_head"], self.groups), last])

    def block(self, trunk, cin, cout):
        layers = [Res(cin, cout, 4 * self.base, self.groups)]
        if self.factor in self.attention:
            layers.append(Attention(cout, trunk["channels_per_head"], self.groups))
        self.channels = cout
        return nn.ModuleList(layers)

    def embed(self, t):
        half = self.base // 2
        angles = t[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
        return self.time(torch.cat([angles.cos(), angles.sin()], dim=1))

    def down(self, x, emb):
        outputs, h = [], x
        for i, block in enumerate(self.blocks):
            for layer in block:
                h = layer(h) if i == 0 else layer(h, emb)
            outputs.append(h)
        for layer in self.middle:
            h = layer(h, emb)
        return outputs, h


class Unet(nn.Module):
    def __init__(self, arch):
        super().__init__()
        trunk, self.trunk = arch["trunk"], Trunk(arch["trunk"])
        t, widths = self.trunk, list(self.trunk.widths)
        self.label = nn.Embedding(arch["classes"], 4 * t.base)
        self.up = nn.ModuleList()
        for level, m in reversed(list(enumerate(trunk["channel_mult"]))):
            for i in range(trunk["res_blocks"] + 1):
                block = t.block(trunk, t.channels + widths.pop(), int(m * t.base))
                if level and i == trunk["res_blocks"]:
                    block.append(Res(t.channels, t.channels, 4 * t.base, t.groups, "up"))
                    t.factor //= 2
                self.up.append(block)
        self.norm, self.head = norm(t.channels, t.groups), nn.Conv2d(t.channels, 2 * trunk["in_channels"], 3, padding=1)

    def forward(self, x, t, y):
        emb = F.silu(self.trunk.embed(t) + self.label(y))
        skips, h = self.trunk.down(x, emb)
        for block in self.up:
            h = torch.cat([h, skips.pop()], dim=1)
            for layer in block:
                h = layer(h, emb)
        return self.head(F.silu(self.norm(h)))


class Classifier(nn.Module):
    def __init__(self, arch):
        super().__init__()
        self.trunk = Trunk(arch["trunk"])
        c, side = self.trunk.channels, arch["trunk"]["resolution"] // self.trunk.factor
        self.heads = c // arch["trunk"]["channels_per_head"]
        self.norm, self.position = norm(c, self.trunk.groups), nn.Parameter(torch.randn(c, side * side + 1) / c**0.5)
        self.qkv, self.out = nn.Conv1d(c, 3 * c, 1), nn.Conv1d(c, arch["classes"], 1)

    def forward(self, x, t):
        _, h = self.trunk.down(x, F.silu(self.trunk.embed(t)))
        tokens = F.silu(self.norm(h)).flatten(2)
        tokens = torch.cat([tokens.mean(dim=-1, keepdim=True), tokens], dim=-1) + self.position
        return self.out(attend(self.qkv(tokens), self.heads))[:, :, 0]


def images(n, arch):
    side = arch["trunk"]["resolution"]
    t, y = torch.full((n,), 500.0), torch.arange(n) % arch["classes"]
    return torch.randn(n, arch["trunk"]["in_channels"], side, side), t, y


def prepared(net, way):
    """The net in the memory format of a way, compiled where it says so, and what puts images into that format."""
    names = way.split()
    layout = torch.channels_last if "channels_last" in names else torch.contiguous_format
    net = net.to(memory_format=layout)
    net = torch.compile(net) if "compiled" in names else net
    return net, lambda x: x.contiguous(memory_format=layout)


def forward(n, arch, way="contiguous"):
    (net, laid), (x, t, y) = prepared(Unet(arch), way), images(n, arch)
    x = laid(x)

    def run():
        with torch.no_grad():
            net(x, t, y)

    return run


def guided(n, arch, classifier, way="contiguous"):
    """One guided DDPM step: the net, the classifier's gradient, mean and noise."""
    judge = Classifier(classifier)
    for p in judge.parameters():
        p.requires_grad_(False)
    (net, laid), (judge, _), (x, t, y) = prepared(Unet(arch), way), prepared(judge, way), images(n, arch)
    x = laid(x)

    def run():
        with torch.no_grad():
            eps, v = net(x, t, y).chunk(2, dim=1)
        at = x.detach().requires_grad_(True)
        log_probs = F.log_softmax(judge(at, t), dim=-1)
        pull = torch.autograd.grad(log_probs[range(n), y].sum(), at)[0]
        log_variance = (v + 1) / 2 * 0.1 - 4.0
        mean = 1.01 * x - 0.02 * eps + log_variance.exp() * pull
        return mean + (0.5 * log_variance).exp() * torch.randn_like(x)

    return run


def train(n, arch, way="contiguous"):
    (net, laid), (x, t, y) = prepared(Unet(arch), way), images(n, arch)
    x = laid(x)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.0)
    noise = torch.randn_like(x)

    def run():
        eps, v = net(x, t, y).chunk(2, dim=1)
        optimizer.zero_grad()
        ((eps - noise).square().mean() + v.square().mean()).backward()
        optimizer.step()

    return run


NETS = {"forward": forward, "guided": guided, "train": train}
