"""Writes the files of this folder as the programs that they stand for would: python make.py (torch, numpy)."""
import pickle
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
rng = np.random.default_rng(7)


def moments(d):
    x = rng.standard_normal((3 * d, d))
    return {"mu": x.mean(0), "sigma": np.cov(x, rowvar=False)}


# EDM2's dataset references: one pickle, every protocol that Python 3 writes by itself or did.
edm2 = {"num_images": 12, "fid": moments(4), "fd_dinov2": moments(3)}
for protocol in (2, 3, 4, 5):
    (HERE / f"edm2_protocol{protocol}.pkl").write_bytes(pickle.dumps(edm2, protocol))
np.savez(HERE / "edm2.npz", **{f"{k}_{n}": edm2[k][n] for k in ("fid", "fd_dinov2") for n in ("mu", "sigma")})

# torch-fidelity's cache of statistics, with NumPy arrays; and the same as tensors.
torch.save(edm2["fid"], HERE / "fidelity_numpy.pt")
torch.save({k: torch.from_numpy(v) for k, v in edm2["fid"].items()}, HERE / "fidelity_tensors.pt",
           _use_new_zipfile_serialization=False)

# A Fortran-ordered, big-endian mean and covariance, a NumPy count.
odd = {"num_images": np.int64(12), "fid": {"mu": edm2["fid"]["mu"].astype(">f8"),
                                           "sigma": np.asfortranarray(edm2["fid"]["sigma"] + 0)}}
(HERE / "odd.pkl").write_bytes(pickle.dumps(odd, 4))


# A scripted net like the detectors': buffers within modules within modules, a constant and code beside them.
class Layer(torch.nn.Module):
    def __init__(self, seed):
        super().__init__()
        self.register_buffer("weight", torch.arange(6.0).reshape(2, 3) + seed)
        self.register_buffer("beta", torch.full([2], float(seed)))

    def forward(self, x):
        return x @ self.weight.t() + self.beta


class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = Layer(1)
        self.mixed = torch.nn.Sequential(Layer(2), torch.nn.BatchNorm1d(2))

    def forward(self, x):
        return self.conv(x)


class Detector(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = Layers()
        self.output = torch.nn.Linear(2, 2)
        self.sizes = [1, 2]

    def forward(self, x):
        return self.output(self.layers(x))


torch.manual_seed(0)
scripted = torch.jit.script(Detector().eval())
scripted.save(str(HERE / "scripted.pt"))
state = {k: v.clone().contiguous() for k, v in scripted.state_dict().items()}
np.savez(HERE / "scripted.npz", **{k: v.numpy() for k, v in state.items()})

# Parameters, a module's state with its metadata, types beyond the first ones, an expanded and a shared tensor.
net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
shared = torch.arange(6, dtype=torch.float32)
for name, zipped in (("module_zip.pt", True), ("module_legacy.pt", False)):
    torch.save({"ema": net.state_dict(), "opt": {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
                "epoch": 3, "args": None}, HERE / name, _use_new_zipfile_serialization=zipped)
torch.save({"u32": torch.tensor([1, 4000000000], dtype=torch.uint32), "i16": torch.tensor([-3], dtype=torch.int16),
            "i8": torch.tensor([-3], dtype=torch.int8), "parameter": torch.nn.Parameter(torch.ones(2)),
            "first": shared[:4], "last": shared[2:], "big": 1 << 80, "size": torch.Size([2])}, HERE / "types.pt")
torch.save({"grown": torch.ones(1).expand(3)}, HERE / "expanded.pt")

# What guided-diffusion's TrainLoop.save writes: a model's parameters as they are, an average's as `use_fp16` keeps them
# (views of one flat parameter), and the optimizer's state.
torch.manual_seed(0)
net = torch.nn.ModuleDict({"time_embed": torch.nn.Sequential(torch.nn.Linear(2, 3)), "out": torch.nn.Conv2d(3, 2, 1)})
opt = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.0)
sum(p.square().sum() for p in net.parameters()).backward()
opt.step()
names = [name for name, _ in net.named_parameters()]
flat = torch.nn.Parameter(torch.cat([p.detach().flatten() for p in net.parameters()]))
pieces = torch._utils._unflatten_dense_tensors(flat, list(net.parameters()))
torch.save({name: p for name, p in zip(names, net.parameters())}, HERE / "model000002.pt")
torch.save(dict(zip(names, pieces)), HERE / "ema_0.9999_000002.pt")
torch.save(opt.state_dict(), HERE / "opt000002.pt")
np.savez(HERE / "model000002.npz", **{name: p.detach().numpy() for name, p in zip(names, net.parameters())})
