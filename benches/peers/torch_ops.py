"""PyTorch's side of the benchmarks: reads one JSON request a line, answers with the median milliseconds."""

import functools
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from torch_inception import INCEPTION
from scores import SCORES
from torch_nets import NETS


def conv(shape, backward):
    n, ci, size, co, kernel, stride = shape
    x = torch.randn(n, ci, size, size, requires_grad=backward)
    w = (torch.randn(co, ci, kernel, kernel) / (ci * kernel * kernel) ** 0.5).requires_grad_(backward)
    b = torch.randn(co, requires_grad=backward)
    return [x, w, b], lambda: F.conv2d(x, w, b, stride, kernel // 2)


def norm(shape, backward):
    n, c, size = shape
    x = torch.randn(n, c, size, size, requires_grad=backward)
    w, b = torch.randn(c, requires_grad=backward), torch.randn(c, requires_grad=backward)
    return [x, w, b], lambda: F.silu(F.group_norm(x, 32, w, b))


def attention(shape, backward):
    heads, d, length = shape
    q, k, v = (torch.randn(heads, d, length, requires_grad=backward) for _ in range(3))

    def run():
        scale = d ** -0.25
        weight = torch.einsum("bct,bcs->bts", q * scale, k * scale)
        return torch.einsum("bts,bcs->bct", torch.softmax(weight, dim=-1), v)

    return [q, k, v], run


def linear(shape, backward):
    n, i, o = shape
    x = torch.randn(n, i, requires_grad=backward)
    w, b = torch.randn(o, i, requires_grad=backward), torch.randn(o, requires_grad=backward)
    return [x, w, b], lambda: F.linear(x, w, b)


def resample(shape, backward):
    n, c, size = shape
    x = torch.randn(n, c, size, size, requires_grad=backward)
    return [x], lambda: F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode="nearest")


OPS = {"conv": conv, "norm": norm, "attention": attention, "linear": linear, "resample": resample}


@functools.cache
def prepared(text):
    """What to call for a request, without its number of repetitions."""
    request = json.loads(text)
    for others in (NETS, INCEPTION, SCORES):
        if request["op"] in others:
            way = {"way": request["way"]} if "way" in request else {}
            return others[request["op"]](*request["arguments"], **way)
    backward = request["backward"]
    leaves, run = OPS[request["op"]](request["shape"], backward)

    def call():
        for leaf in leaves:
            leaf.grad = None
        with torch.set_grad_enabled(backward):
            y = run()
            if backward:
                y.backward(torch.ones_like(y))

    return call


def settled(call):
    """The call, and what it started on a GPU."""
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure(request):
    repeat = request.pop("repeat")
    torch.set_default_dtype(getattr(torch, request.get("dtype", "float32")))
    torch.backends.cudnn.allow_tf32 = request.get("tf32", False)
    call = prepared(json.dumps(request))
    # As long as the other side warms up (`turns.rs`).
    warm = time.perf_counter() + 0.02
    settled(call)
    while time.perf_counter() < warm:
        settled(call)
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        settled(call)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main():
    torch.set_num_threads(int(sys.argv[1]))
    torch.set_default_device(sys.argv[2])
    torch.manual_seed(0)
    print(f"torch {torch.__version__}", flush=True)
    for line in sys.stdin:
        print(measure(json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
