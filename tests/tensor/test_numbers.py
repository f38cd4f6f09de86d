"""Kinds of numbers: float16, which holds no large sums, and complex numbers, which have values and no gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg

TWOS = np.full((1, 200, 200, 1), 2, np.float16)  # their sum, 80,000, is infinite in float16
MANY = np.zeros((1, 70_000), np.float16)  # so is how many these are

HALF: list[tuple[Callable[[Any], Any], Any, float]] = [
    (tg.mean, TWOS, 2.0),
    (tg.mean, MANY + np.float16(0.001), 0.001),
    (lambda x: tg.mean(x, (1, 2)), TWOS, 2.0),
    (tg.var, np.tile(np.float16([1, 3]), 40_000), 1.0),
    (tg.std, np.tile(np.float16([1, 3]), 40_000), 1.0),
    (tg.norm, np.full(1024, 1024, np.float16), 32_768.0),
    (tg.global_avg_pool2d, TWOS, 2.0),
    (lambda x: tg.avg_pool2d(x, 200), TWOS, 2.0),
    (tg.logsumexp, MANY, np.log(70_000)),
    (lambda x: tg.softmax(x)[0, 0] * 1000, MANY, 1 / 70),
    (lambda x: tg.log_softmax(x)[0, 0], MANY, -np.log(70_000)),
    (lambda x: tg.cross_entropy(x, [3]), MANY, np.log(70_000)),
    (lambda x: tg.cross_entropy(x, np.zeros(40_000, int), class_weights=[2.0, 1.0]),
     np.zeros((40_000, 2), np.float16), np.log(2)),
    (lambda x: tg.mse(x, x - 1), MANY + 1, 1.0),
    (lambda x: tg.mae(x, x - 1), MANY + 1, 1.0),
    (lambda x: tg.bce(x, np.ones_like(MANY)), MANY + np.float16(0.5), np.log(2)),
    (lambda x: tg.bce_with_logits(x, np.ones_like(MANY)), MANY, np.log(2)),
    (lambda x: tg.layer_norm(x)[0, 0], np.tile(np.float16([1, 3]), (1, 40_000)), -1.0),
    (lambda x: tg.batch_norm(x)[0, 0], np.tile(np.float16([[1], [3]]), (40_000, 1)), -1.0),
]  # fmt: skip


@pytest.mark.parametrize(("f", "x", "expected"), HALF)
def test_means_of_float16_are_taken_in_float32(f: Callable[[Any], Any], x: Any, expected: float) -> None:
    leaf = tg.tensor(x, requires_grad=True)
    y = f(leaf)
    assert y.dtype == np.float16
    assert y.numpy().ravel()[0] == pytest.approx(expected, rel=2e-3)
    y.sum().backward()
    assert leaf.grad is not None
    assert leaf.grad.dtype == np.float16
    assert np.isfinite(leaf.grad.numpy()).all()


Z = np.array([[1 + 2j, 3 - 1j, -0.5j], [0.25, 2j, -1 - 1j]])


@pytest.mark.parametrize(
    ("ours", "numpys"),
    [
        (tg.norm, np.linalg.norm), (lambda z: tg.norm(z, 1, 0), lambda z: np.linalg.norm(z, 1, 0)),
        (lambda z: tg.norm(z, 3, 1), lambda z: np.linalg.norm(z, 3, 1)),
        (lambda z: tg.norm(z, np.inf, 1), lambda z: np.linalg.norm(z, np.inf, 1)), (tg.var, np.var), (tg.std, np.std),
        (lambda z: tg.std(z, 1, ddof=1), lambda z: np.std(z, 1, ddof=1)), (tg.mean, np.mean), (tg.abs, np.abs),
        (tg.exp, np.exp), (tg.prod, np.prod), (lambda z: tg.matmul(z, Z.T), lambda z: z @ Z.T),
    ],
)  # fmt: skip
def test_values_of_complex_numbers_are_numpys(ours: Callable[[Any], Any], numpys: Callable[[Any], Any]) -> None:
    for dtype in (np.complex64, np.complex128):
        y, expected = ours(Z.astype(dtype)), numpys(Z.astype(dtype))
        assert y.dtype == expected.dtype
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6 if dtype == np.complex64 else 1e-14)


def test_complex_numbers_have_no_gradient() -> None:
    with pytest.raises(TypeError, match=r"requires_grad: a tensor of complex128 has no gradient here; keep the real"):
        tg.tensor(Z, requires_grad=True)
    x = tg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for y in (tg.abs(x * Z).sum(), (x.astype(np.complex64) ** 2).sum(), (x @ Z.T).norm()):
        with pytest.raises(TypeError, match="a gradient came back complex to its input 0, which is real"):
            y.backward()
    assert x.grad is None


ONES = np.ones((4096, 3), np.float16)  # added one after the other in float16, their sum stays at 2,048
SUMS: list[tuple[Callable[[Any], Any], Any]] = [
    (lambda x: tg.sum(x, 0), ONES),
    (lambda x: tg.cumsum(x, 0)[-1], ONES),
    (lambda x: tg.einsum("ij,ij->j", x, ONES), ONES),
]


@pytest.mark.parametrize(("f", "x"), SUMS)
def test_sums_of_float16_are_added_in_float32(f: Callable[[Any], Any], x: Any) -> None:
    y = f(tg.tensor(x))
    assert y.dtype == np.float16
    assert (y.numpy() == 4096).all()


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + ONES,
        lambda x: x * ONES,
        lambda x: tg.where(ONES > 0, x, 0.0),
        lambda x: x[np.zeros((4096, 3), int), np.arange(3)],
        lambda x: np.repeat(x, 4096, axis=0),
        lambda x: np.broadcast_to(x, ONES.shape),
    ],
)
def test_gradients_of_float16_are_added_in_float32(f: Callable[[Any], Any]) -> None:
    """As PyTorch's, where an operand was repeated along the batch."""
    x = tg.tensor(np.ones((1, 3), np.float16), requires_grad=True)
    for create_graph in (False, True):
        (gradient,) = tg.grad(f(x).sum(), x, create_graph=create_graph)
        assert gradient.dtype == np.float16
        assert (gradient.numpy() == 4096).all()
