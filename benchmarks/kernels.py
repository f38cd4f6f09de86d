"""Time every kernel against PyTorch's, side by side: milliseconds of each, and ours / theirs.

Both run in one process, by turns; the ratio is the median of the turns' ratios. PyTorch gets the memory layout
(contiguous or channels last) that is the faster one for it.

    python benchmarks/kernels.py [--threads 1 2] [--quick] [--only conv]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from tensorgrad.kernels import convolution, pooling, threads
from tensorgrad.kernels.lowering import around

aten = torch.ops.aten


class Conv(NamedTuple):
    """A convolution: square images, square kernels."""

    name: str
    batch: int
    size: int
    channels: int
    filters: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    groups: int = 1


class Pool(NamedTuple):
    """A pooling of square windows."""

    name: str
    batch: int
    size: int
    channels: int
    kernel: int = 2
    stride: int = 2
    padding: int = 0


SMALL = [
    Conv("experiments, first layer", 0, 28, 1, 8),
    Conv("experiments, 8 to 16", 0, 26, 8, 16),
    Conv("experiments, 4 to 8", 0, 26, 4, 8),
    Conv("LeNet, first layer", 0, 28, 1, 6, 5, padding=2),
    Conv("LeNet, second layer", 0, 14, 6, 16, 5),
]
CONVOLUTIONS = [case._replace(batch=batch) for batch in (32, 256) for case in SMALL] + [
    Conv("VGG-like, first layer", 32, 32, 3, 32, padding=1),
    Conv("VGG-like, 32 to 32", 32, 32, 32, 32, padding=1),
    Conv("VGG-like, 32 to 64", 32, 16, 32, 64, padding=1),
    Conv("VGG-like, 64 to 64", 32, 16, 64, 64, padding=1),
    Conv("64 channels", 32, 32, 64, 64, padding=1),
    Conv("64 channels", 8, 64, 64, 64, padding=1),
    Conv("stride 2", 32, 32, 32, 64, stride=2, padding=1),
    Conv("1 x 1", 32, 16, 64, 64, kernel=1),
    Conv("depthwise", 32, 32, 32, 32, padding=1, groups=32),
    Conv("one image", 1, 26, 8, 16),
]
POOLS = [
    Pool("2 x 2", 32, 24, 8),
    Pool("2 x 2", 256, 24, 8),
    Pool("2 x 2", 32, 24, 16),
    Pool("2 x 2", 32, 32, 32),
    Pool("3 x 3, overlapping", 32, 24, 8, 3, 2),
]

Call = Callable[[], Any]
Pairs = Iterator[tuple[str, Call, list[Call]]]


def convolution_pairs(case: Conv) -> Pairs:
    """Ours and PyTorch's, for the three maps of a convolution."""
    rng = np.random.default_rng(0)
    shape = (case.batch, case.size, case.size, case.channels)
    x = rng.standard_normal(shape, np.float32)
    w = rng.standard_normal((case.kernel, case.kernel, case.channels // case.groups, case.filters), np.float32)
    geometry = ((case.stride,) * 2, around((case.padding,) * 2), (1, 1), case.groups)
    y = convolution.conv2d(x, w, *geometry)
    forward: list[Call] = []
    by_input: list[Call] = []
    by_weight: list[Call] = []
    for layout in (torch.contiguous_format, torch.channels_last):
        tx = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        tw = torch.from_numpy(w).permute(3, 2, 0, 1).contiguous(memory_format=layout)
        tg = torch.from_numpy(y).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        pairs = [[case.stride] * 2, [case.padding] * 2, [1, 1], False, [0, 0], case.groups]
        forward.append(partial(F.conv2d, tx, tw, None, case.stride, case.padding, 1, case.groups))
        for mask, gradient in (([True, False, False], by_input), ([False, True, False], by_weight)):
            gradient.append(partial(aten.convolution_backward, tg, tx, tw, None, *pairs, mask))
    yield "forward", lambda: convolution.conv2d(x, w, *geometry), forward
    yield "by input", lambda: convolution.conv2d_input(y, w, shape, *geometry), by_input
    yield "by weight", lambda: convolution.conv2d_weight(x, y, (case.kernel,) * 2, *geometry), by_weight


def pool_pairs(case: Pool) -> Pairs:
    """Ours and PyTorch's, for maximum and average and their gradients."""
    rng = np.random.default_rng(0)
    shape = (case.batch, case.size, case.size, case.channels)
    x = rng.standard_normal(shape, np.float32)
    size, stride, padding = (case.kernel,) * 2, (case.stride,) * 2, around((case.padding,) * 2)
    y = pooling.extreme(x, size, stride, padding, True)
    k, s, p = [case.kernel] * 2, [case.stride] * 2, [case.padding] * 2
    largest: list[Call] = []
    placed: list[Call] = []
    mean: list[Call] = []
    spread: list[Call] = []
    for layout in (torch.contiguous_format, torch.channels_last):
        tx = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=layout)
        ty, at = F.max_pool2d(tx, k, s, p, return_indices=True)
        largest.append(partial(F.max_pool2d, tx, k, s, p))
        placed.append(partial(aten.max_pool2d_with_indices_backward, ty, tx, k, s, p, [1, 1], False, at))
        mean.append(partial(F.avg_pool2d, tx, k, s, p, False, False))
        spread.append(partial(aten.avg_pool2d_backward, ty, tx, k, s, p, False, False, None))
    yield "maximum", lambda: pooling.extreme(x, size, stride, padding, True), largest
    yield "its gradient", lambda: pooling.place(y, x, y, size, stride, padding), placed
    yield "average", lambda: pooling.average(x, size, stride, padding), mean
    yield "its gradient", lambda: pooling.spread(y, shape, size, stride, padding), spread


def elapsed(function: Call, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return (time.perf_counter() - start) / repeats * 1e3


def compare(ours: Call, theirs: list[Call], turns: int) -> tuple[float, float, float]:
    """Milliseconds of ours and of the faster of theirs, and the median ratio, taken by turns."""
    ours()
    for function in theirs:
        function()
    fastest = min(theirs, key=lambda function: min(elapsed(function, 1) for _ in range(5)))
    repeats = max(1, int(2.0 / max(elapsed(ours, 2), 0.01)))  # about 2 ms a turn
    times = [(elapsed(ours, repeats), elapsed(fastest, repeats)) for _ in range(turns)]
    a, b = (statistics.median(column) for column in zip(*times, strict=True))
    return a, b, statistics.median(x / y for x, y in times)


def matrix_product_rate() -> float:
    """GFLOP/s of NumPy's product of two matrices of 2048 x 2048."""
    a = np.ones((2048, 2048), np.float32)
    out = np.empty_like(a)
    return 2 * 2048**3 / min(elapsed(lambda: np.matmul(a, a, out=out), 1) for _ in range(5)) / 1e6


def describe(case: Conv | Pool) -> str:
    image = f"{case.batch} x {case.size} x {case.size} x {case.channels}"
    return f"{case.name:26} {image:20}" + (
        f" to {case.filters:3}, {case.kernel} x {case.kernel}" if isinstance(case, Conv) else ""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="a third of the turns")
    parser.add_argument("--only", default="", help="cases whose description contains this")
    options = parser.parse_args()
    turns = 7 if options.quick else 21
    cases: list[Conv | Pool] = [*CONVOLUTIONS, *POOLS]
    for n in options.threads:
        threads.set_num_threads(n)
        torch.set_num_threads(n)
        print(f"\n{n} thread{'s' * (n > 1)}; matrix product 2048^3: {matrix_product_rate():.0f} GFLOP/s")
        print(f"{'':65} {'kernel':13} {'ours':>8} {'torch':>8} {'ratio':>6} {'GFLOP/s':>8}")
        for case in cases:
            text = describe(case)
            if options.only not in text:
                continue
            pairs = convolution_pairs(case) if isinstance(case, Conv) else pool_pairs(case)
            for kernel, ours, theirs in pairs:
                a, b, ratio = compare(ours, theirs, turns)
                rate = ""
                if isinstance(case, Conv):
                    out = (case.size + 2 * case.padding - case.kernel) // case.stride + 1
                    pixels = case.batch * out * out * case.filters
                    rate = f"{2 * pixels * case.kernel**2 * case.channels // case.groups / a / 1e6:8.0f}"
                print(f"{text:65} {kernel:13} {a:8.3f} {b:8.3f} {ratio:6.2f} {rate}", flush=True)


if __name__ == "__main__":
    main()
