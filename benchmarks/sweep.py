"""How the cost grows with the batch and with the image, and how near a convolution is to a matrix product."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import tensorgrad as tg
from benchmarks import nets, training
from benchmarks.case import Case, Group
from benchmarks.nets import Net


def batch_size(net: Net, batch: int) -> Case:
    """Training with batches of one size: time per sample."""
    count = max(batch, 128)
    case = training.case(net, batch, count, f"{net.name}, batch {batch}: a sample")
    case.units = count, count
    return case


def image_size(size: int) -> Case:
    """Training on images of one size: time per sample."""
    net = Net("two convolutions", (nets.Conv(8), nets.Conv(16)), 0, (size, size, 1))
    count = max(32, 128 * 32 // size)
    case = training.case(net, 32, count, f"{net.name}, {size}x{size} pixels: a sample")
    case.units = count, count
    return case


def large_batch(net: Net) -> Case:
    """Our own cost per sample in batches of 4096 against that in batches of 256."""
    x, labels = net.data(4096)
    trainer = training.OurTrainer(net, x, labels)
    return Case(
        f"{net.name}, batch 4096 against 256: a sample",
        lambda: trainer.epochs(4096),
        [lambda: trainer.epochs(256)],
        lambda: None,
        units=(4096, 4096),
        peer="ours",
    )


def matrix_rate(n: int, size: int) -> Case:
    """A convolution of 64 channels to 64 against NumPy's product of two matrices: time per 10**9 operations."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, size, size, 64), np.float32)
    w = rng.standard_normal((3, 3, 64, 64), np.float32)
    a = rng.standard_normal((2048, 2048), np.float32)
    out = np.empty_like(a)
    operations = 2 * x.size * w.size / 64
    return Case(
        f"conv2d {n}x{size}x{size}x64 to 64, against a product of 2048x2048: 10⁹ operations",
        tg.no_grad()(lambda: tg.conv2d(x, w, padding=1)),
        [lambda: np.matmul(a, a, out=out)],
        lambda: None,
        units=(operations / 1e9, 2 * 2048**3 / 1e9),
        peer="NumPy",
    )


def cases(quick: bool) -> Iterator[Case]:
    """Batch sizes, image sizes, matrix rates."""
    for batch in (1, 256) if quick else (1, 4, 16, 64, 256, 1024, 4096):
        yield batch_size(nets.EXPERIMENTS[3], batch)
    for size in (64,) if quick else (16, 32, 64, 128):
        yield image_size(size)
    if not quick:
        yield large_batch(nets.EXPERIMENTS[1])
        yield large_batch(nets.EXPERIMENTS[3])
    for n, size in ((16, 32),) if quick else ((32, 16), (16, 32), (4, 64)):
        yield matrix_rate(n, size)


GROUP = Group("How cost grows", cases)
