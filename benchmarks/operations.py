"""Single operations, through the public functions and both engines, forward alone and with the gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import tensorgrad as tg
from benchmarks.case import Case, Group, agree
from benchmarks.nets import LAYOUTS, Array
from tensorgrad import optim

FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)  # channels first, of images with channels last; and back
KERNELS_FIRST, KERNELS_LAST = (3, 2, 0, 1), (2, 3, 1, 0)
Operation = Callable[..., Any]
_RNG = np.random.default_rng(0)


class Operand:
    """An input of an operation, and how its axes lie in PyTorch."""

    def __init__(self, array: Array, there: Sequence[int] | None = None, back: Sequence[int] | None = None) -> None:
        self.array = array
        self.there = tuple(there) if there else tuple(range(array.ndim))
        self.back = tuple(back) if back else self.there

    def tensor(self, layout: torch.memory_format) -> torch.Tensor:
        """The same in PyTorch, a leaf."""
        t = torch.from_numpy(self.array).permute(self.there).contiguous()
        return (t.contiguous(memory_format=layout) if t.ndim == 4 else t).requires_grad_()


def images(*shape: int) -> Operand:
    """Random images."""
    return Operand(_random(*shape), FIRST, LAST)


def kernels(*shape: int) -> Operand:
    """Random kernels, of the size that keeps results near 1."""
    return Operand(_random(*shape) / np.float32(np.sqrt(np.prod(shape[:3]))), KERNELS_FIRST, KERNELS_LAST)


def plain(*shape: int) -> Operand:
    """Random numbers, with the same axes on both sides."""
    return Operand(_random(*shape))


def _random(*shape: int) -> Array:
    return _RNG.standard_normal(shape, np.float32)


def pair(name: str, operands: Sequence[Operand], ours: Operation, theirs: Operation) -> Iterator[Case]:
    """An operation on tensors: forward, and forward with the gradients by all operands."""
    leaves = [tg.tensor(operand.array, requires_grad=True) for operand in operands]
    layouts = LAYOUTS if operands[0].array.ndim == 4 else LAYOUTS[:1]
    others = [[operand.tensor(layout) for operand in operands] for layout in layouts]
    y = ours(*leaves).numpy()
    seed = tg.tensor(_random(*y.shape))
    back = LAST if y.ndim == 4 else tuple(range(y.ndim))
    seeds = [
        torch.tensor(seed.numpy()).permute(FIRST if y.ndim == 4 else back).contiguous(memory_format=layout)
        for layout in layouts
    ]

    def our_forward() -> Array:
        with tg.no_grad():
            return ours(*leaves).numpy()  # type: ignore[no-any-return]

    def our_gradients() -> list[Any]:
        ours(*leaves).backward(seed)
        found = [leaf.grad for leaf in leaves]
        for leaf in leaves:
            leaf.grad = None
        return found

    @torch.inference_mode()
    def their_forward(tensors: list[torch.Tensor]) -> Any:
        return theirs(*tensors)

    def their_gradients(tensors: list[torch.Tensor], seed: torch.Tensor) -> list[Any]:
        theirs(*tensors).backward(seed)
        found = [tensor.grad for tensor in tensors]
        for tensor in tensors:
            tensor.grad = None
        return found

    def check() -> None:
        expected = their_forward(others[0]).permute(back)
        agree(name, our_forward(), expected)
        for operand, a, b in zip(operands, our_gradients(), their_gradients(others[0], seeds[0]), strict=True):
            agree(f"{name}, gradient", a.numpy(), b.permute(operand.back))

    forward = [lambda t=t: their_forward(t) for t in others]
    gradients = [lambda t=t, s=s: their_gradients(t, s) for t, s in zip(others, seeds, strict=True)]
    yield Case(name, our_forward, forward, check)
    yield Case(f"{name}, with gradients", our_gradients, gradients, check)


def convolution(
    n: int, size: int, channels: int, filters: int, kernel: int = 3, stride: int = 1, padding: int = 0, groups: int = 1
) -> Iterator[Case]:
    """A convolution of square images with square kernels."""
    name = f"conv2d {n}x{size}x{size}x{channels} to {filters}, {kernel}x{kernel}"
    name += f", stride {stride}" * (stride > 1) + f", {groups} groups" * (groups > 1)
    options: dict[str, Any] = {"stride": stride, "padding": padding, "groups": groups}
    operands = [
        images(n, size, size, channels),
        kernels(kernel, kernel, channels // groups, filters),
        plain(filters),
    ]
    return pair(
        name, operands, lambda x, w, b: tg.conv2d(x, w, b, **options), lambda x, w, b: F.conv2d(x, w, b, **options)
    )


def loss(n: int, classes: int) -> Iterator[Case]:
    """Softmax and cross-entropy, from logits and integer labels."""
    labels = np.arange(n) % classes
    there = torch.from_numpy(labels)
    return pair(
        f"cross_entropy {n}x{classes}",
        [plain(n, classes)],
        lambda x: tg.cross_entropy(x, labels),
        lambda x: F.cross_entropy(x, there),
    )


def optimizer(name: str, ours: Operation, theirs: Operation) -> Case:
    """A step over the parameters of experiment 4's network."""
    shapes = (3, 3, 1, 4), (4,), (3, 3, 4, 8), (8,), (1152, 64), (64,), (64, 10), (10,)
    mine = [tg.tensor(_random(*shape), requires_grad=True) for shape in shapes]
    other = [torch.from_numpy(p.numpy().copy()).requires_grad_() for p in mine]
    for p, q in zip(mine, other, strict=True):
        g = _random(*p.shape)
        p.grad, q.grad = tg.tensor(g), torch.from_numpy(g)
    a, b = ours(mine), theirs(other)

    def check() -> None:
        a.step()
        b.step()
        for p, q in zip(mine, other, strict=True):
            agree(name, p.numpy(), q.detach().numpy())

    return Case(f"{name}: a step, experiment 4", a.step, [b.step], check)


def cases(quick: bool) -> Iterator[Case]:
    """What the networks are made of."""
    yield from convolution(32, 26, 8, 16)
    yield from convolution(32, 32, 32, 32, padding=1)
    yield from convolution(32, 32, 32, 32, padding=1, groups=32)
    maps = (32, 24, 24, 16)
    yield from pair("max_pool2d 2x2, 32x24x24x16", [images(*maps)], _by(tg.max_pool2d), _by(F.max_pool2d))
    yield from loss(32, 10)
    yield from pair("relu 32x24x24x16", [images(*maps)], tg.relu, torch.relu)
    yield optimizer("Adam", optim.Adam, lambda p: torch.optim.Adam(p, lr=0.001))
    if quick:
        return
    yield from convolution(32, 28, 1, 8)
    yield from convolution(32, 14, 6, 16, kernel=5)
    yield from convolution(256, 26, 8, 16)
    for n, size in ((32, 16), (16, 32), (4, 64)):
        yield from convolution(n, size, 64, 64, padding=1)
    yield from convolution(32, 14, 128, 128, padding=1)
    yield from convolution(32, 32, 32, 64, stride=2, padding=1)
    yield from convolution(32, 16, 64, 64, kernel=1)
    yield from pair("avg_pool2d 2x2, 32x24x24x16", [images(*maps)], _by(tg.avg_pool2d), _by(F.avg_pool2d))
    yield from pair("matmul 256x1152x64", [plain(256, 1152), plain(1152, 64)], tg.matmul, torch.matmul)
    yield from pair("matmul 512x512x512", [plain(512, 512), plain(512, 512)], tg.matmul, torch.matmul)
    yield from loss(256, 1000)
    for shape in (maps, (128, 32, 32, 32)):
        yield from pair(
            f"batch_norm {'x'.join(map(str, shape))}",
            [images(*shape), plain(shape[-1]), plain(shape[-1])],
            tg.batch_norm,
            lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
        )
    activations = (
        ("sigmoid", tg.sigmoid, torch.sigmoid),
        ("leaky_relu", tg.leaky_relu, F.leaky_relu),
        ("elu", tg.elu, F.elu),
    )
    for name, ours, theirs in activations:
        yield from pair(f"{name} 64x26x26x8", [images(64, 26, 26, 8)], ours, theirs)
    yield optimizer("Adam, theirs fused", optim.Adam, lambda p: torch.optim.Adam(p, lr=0.001, fused=True))
    yield optimizer(
        "Momentum",
        lambda p: optim.Momentum(p, lr=0.001, weight_decay=0.0),
        lambda p: torch.optim.SGD(p, lr=0.001, momentum=0.9),
    )


def _by(pool: Operation) -> Operation:
    return lambda x: pool(x, 2)


GROUP = Group("Operations", cases)
