"""Cross-entropy against its definition: few classes and many, in tiles, masked classes, saturated logits."""

from typing import Any

import numpy as np
import pytest
from scipy import special

from tensorgrad.kernels import classes, threads


@pytest.mark.usefixtures("any_threads")
@pytest.mark.parametrize("shape", [(7, 1), (5, 3), (2, 40, 9, 21), (30, classes.FEW + 1), (4,), (0, 3)])
@pytest.mark.parametrize("tile", [100, threads.TILE])
def test_cross_entropy_is_its_definition(shape: tuple[int, ...], tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "TILE", tile)
    rng = np.random.default_rng(0)
    logits, target = rng.normal(0, 5, shape), rng.uniform(0, 1, shape)
    expected = -(target * special.log_softmax(logits, axis=-1)).sum(-1)
    np.testing.assert_allclose(classes.cross_entropy(logits, target), expected, atol=1e-12)
    g = np.asarray(rng.normal(size=shape[:-1]))
    excess = special.softmax(logits, axis=-1) * target.sum(-1, keepdims=True) - target
    np.testing.assert_allclose(classes.cross_entropy_logits(g, logits, target), g[..., None] * excess, atol=1e-12)


@pytest.mark.parametrize("shape", [(7, 1), (5, 3), (2, 4, 9, 21), (4,)])
def test_softmax_in_place_is_its_definition(shape: tuple[int, ...]) -> None:
    logits = np.random.default_rng(0).normal(0, 50, shape)
    logits.flat[0] = -np.inf if shape[-1] > 1 else 1e4  # a masked class, or one that alone is there
    for given in (logits.copy(), logits.copy("F")):
        classes.softmax_(given)
        np.testing.assert_allclose(given, special.softmax(logits, axis=-1), rtol=1e-12)


def test_masked_and_saturated_classes() -> None:
    logits = np.array([[0, -np.inf, 1], [-np.inf, 3, 3], [1e4, 0, -1e4], [2, 1, 0]], np.float32)
    target: Any = np.array([[1, 0, 0], [0, 0.5, 0.5], [0, 1, 0], [0, 0, 0]], np.float32)
    loss = classes.cross_entropy(logits, target)
    np.testing.assert_allclose(loss, [np.log1p(np.e), np.log(2), 1e4, 0], rtol=1e-6)
    gradient = classes.cross_entropy_logits(np.ones(4, np.float32), logits, target)
    assert gradient.dtype == loss.dtype == np.float32
    np.testing.assert_allclose(gradient[1:], [[0, 0, 0], [1, -1, 0], [0, 0, 0]], atol=1e-6)
    assert classes.cross_entropy(np.array([[0.0, -np.inf]]), np.array([[0.0, 1.0]])) == np.inf  # what cannot be, was
