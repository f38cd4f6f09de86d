"""Losses beside PyTorch's, with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tensorgrad as tg
from tensorgrad import Tensor
from tests.training.test_objective import RNG, maps, one_epoch


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bce_leads_away_from_0_and_1_as_pytorch_does(dtype: Any) -> None:
    p, t = (np.array(v, dtype) for v in ([0, 0, 1, 1, 0.3, 1e-20], [1, 0, 0, 1, 0.5, 1]))
    ours, theirs = Tensor(p, requires_grad=True), torch.tensor(p, requires_grad=True)
    tg.bce(ours, t).backward()
    torch.nn.functional.binary_cross_entropy(theirs, torch.tensor(t)).backward()
    assert ours.grad is not None
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_ignores_an_index_as_pytorch_does(reduction: str) -> None:
    logits, labels = RNG.normal(size=(2, 3, 3, 4)), RNG.integers(0, 4, (2, 3, 3))
    labels[0, :2] = 255
    for weights in (None, np.array([1.0, 2.0, 3.0, 4.0])):
        ours, theirs = Tensor(logits, requires_grad=True), torch.tensor(logits, requires_grad=True)
        a = tg.cross_entropy(
            ours, labels, ignore_index=255, reduction=reduction, class_weights=weights, label_smoothing=0.1
        )
        b = torch.nn.functional.cross_entropy(
            theirs.permute(0, 3, 1, 2), torch.tensor(labels), ignore_index=255, reduction=reduction,
            weight=None if weights is None else torch.tensor(weights), label_smoothing=0.1,
        )  # fmt: skip
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-6)
        a.sum().backward()
        b.sum().backward()
        assert ours.grad is not None
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_training_ignores_an_index(smoothing: float) -> None:
    x, y = RNG.normal(size=(6, 4, 4, 1)), RNG.integers(0, 3, (6, 4, 4))
    y[:, :2] = 255
    model, step = (
        maps(3, "softmax", ignore_index=255, label_smoothing=smoothing, metrics=["f1", "mse"]) for _ in range(2)
    )
    logits = torch.tensor(model.forward(Tensor(x.astype(np.float32)), False, logits=True).numpy())
    expected = torch.nn.functional.cross_entropy(
        logits.permute(0, 3, 1, 2), torch.tensor(y), ignore_index=255, label_smoothing=smoothing
    )
    loss, figure = step.apply_loss(y, step.feedforward(x))
    found, said = model.evaluate(x, y), model.predict(x).argmax(-1)
    assert one_epoch(model, x, y) == pytest.approx(float(expected), rel=1e-5) == pytest.approx(figure, rel=1e-5)
    counts = y != 255
    assert found["accuracy"] == pytest.approx((said == y)[counts].mean())
    assert found.confusion is not None
    assert found.confusion.sum() == counts.sum()
    step.backpropagate(loss)
    for a, b in zip(model.get_weights(), step.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
