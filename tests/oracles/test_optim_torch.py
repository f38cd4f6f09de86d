"""The optimizers, schedules and clipping against PyTorch's, on the same weights and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad import Tensor, optim

# name: (ours, PyTorch's)
PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sgd": (lambda p, **k: optim.SGD(p, mr=0.7, **k), lambda p, **k: torch.optim.SGD(p, momentum=0.7, **k)),
    "iterative": (optim.Iterative, torch.optim.SGD),
    "momentum": (
        lambda p, **k: optim.Momentum(p, **{"weight_decay": 0.0005, **k}),
        lambda p, **k: torch.optim.SGD(p, momentum=0.9, **{"weight_decay": 0.0005, **k}),
    ),
    "nesterov": (
        lambda p, **k: optim.Momentum(p, nesterov=True, **{"weight_decay": 0.0005, **k}),
        lambda p, **k: torch.optim.SGD(p, momentum=0.9, nesterov=True, **{"weight_decay": 0.0005, **k}),
    ),
    "rmsprop": (optim.RMSprop, lambda p, **k: torch.optim.RMSprop(p, alpha=0.9, **k)),
    "adagrad": (optim.Adagrad, torch.optim.Adagrad),
    "adam": (optim.Adam, torch.optim.Adam),
    "adamax": (optim.Adamax, torch.optim.Adamax),
    "adadelta": (optim.Adadelta, torch.optim.Adadelta),
    "nadam": (optim.Nadam, torch.optim.NAdam),
    "adamw": (optim.AdamW, torch.optim.AdamW),
}


@pytest.mark.parametrize("name", PAIRS)
@given(
    shapes=st.lists(st.lists(st.integers(1, 5), max_size=4).map(tuple), min_size=1, max_size=6),
    dtype=st.sampled_from(["f4", "f4", "f8"]),
    seed=st.integers(0, 2**32),
    scale=st.sampled_from([1e-3, 1.0, 100.0]),
    steps=st.integers(1, 60),
    missing=st.sampled_from([0.0, 0.0, 0.3]),
    arguments=st.sampled_from([{}, {"lr": 0.02}, {"lr": 0.02, "weight_decay": 0.1}]),
    change=st.booleans(),
    grouped=st.booleans(),
)
def test_same_weights(
    name: str,
    shapes: list[tuple[int, ...]],
    dtype: str,
    seed: int,
    scale: float,
    steps: int,
    missing: float,
    arguments: dict[str, float],
    change: bool,
    grouped: bool,
) -> None:
    make, make_theirs = PAIRS[name]
    arguments = {"lr": 0.01, **arguments} if name in ("sgd", "iterative", "momentum", "nesterov") else arguments
    rng = np.random.default_rng(seed)
    ours = [Tensor(rng.standard_normal(s).astype(dtype), requires_grad=True) for s in shapes]
    theirs = [torch.tensor(p.numpy().copy(), requires_grad=True) for p in ours]

    def parts(params: Any) -> Any:
        grouping = [{"params": params[1:]}, {"params": params[:1], "weight_decay": 0.2}]
        return grouping if grouped and len(params) > 1 else params

    optimizer, other = make(parts(ours), **arguments), make_theirs(parts(theirs), **arguments)
    for step in range(steps):
        if change and step == steps // 2:
            optimizer.lr = 0.003
            for group in other.param_groups:
                group["lr"] = 0.003
        for p, q in zip(ours, theirs, strict=True):
            g = None if rng.random() < missing else (scale * rng.standard_normal(p.shape)).astype(dtype)
            p.grad = None if g is None else Tensor(g)
            q.grad = None if g is None else torch.tensor(g)
        optimizer.step()
        other.step()
    for p, q in zip(ours, theirs, strict=True):
        expected = q.detach().numpy()
        size = max(1.0, float(np.abs(expected).max()))
        exact = 2e-7 if name == "nadam" else 1e-13  # PyTorch's NAdam keeps its product of momenta in float32
        np.testing.assert_allclose(p.numpy(), expected, rtol=0, atol=(1e-5 if dtype == "f4" else exact) * size)


def rates(make: Callable[[Any], Any], lr: float, count: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


torch_rates = torch.optim.lr_scheduler


@given(
    lr=st.floats(1e-5, 10),
    every=st.integers(1, 7),
    gamma=st.floats(0.1, 1.5),
    total=st.integers(1, 30),
    final=st.floats(0, 1),
    steps=st.integers(1, 8),
)
def test_same_rates(lr: float, every: int, gamma: float, total: int, final: float, steps: int) -> None:
    def same(schedule: Callable[[int], float], make: Callable[[Any], Any], count: int) -> None:
        np.testing.assert_allclose([schedule(n) for n in range(count)], rates(make, lr, count), rtol=1e-8, atol=1e-12)

    same(optim.StepDecay(lr, every, gamma), lambda o: torch_rates.StepLR(o, every, gamma), 20)
    same(optim.Exponential(lr, gamma), lambda o: torch_rates.ExponentialLR(o, gamma), 20)
    same(optim.Cosine(lr, total, final), lambda o: torch_rates.CosineAnnealingLR(o, total, final), total + 1)
    same(
        optim.WarmUp(steps, optim.Constant(lr)),
        lambda o: torch_rates.LinearLR(o, start_factor=1 / (steps + 1), total_iters=steps),
        steps + 5,
    )
    same(
        optim.WarmUp(steps, optim.StepDecay(lr, every, gamma)),
        lambda o: torch_rates.SequentialLR(
            o,
            [
                torch_rates.LinearLR(o, start_factor=1 / (steps + 1), total_iters=steps),
                torch_rates.StepLR(o, every, gamma),
            ],
            milestones=[steps],
        ),
        steps + 10,
    )


@given(
    shapes=st.lists(st.lists(st.integers(0, 5), max_size=4).map(tuple), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
    limit=st.floats(0.01, 20),
)
def test_same_clipping(shapes: list[tuple[int, ...]], seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    gradients = [rng.standard_normal(s).astype("f4") for s in shapes]
    for clip, other in (
        (optim.clip_grad_norm, torch.nn.utils.clip_grad_norm_),
        (optim.clip_grad_value, torch.nn.utils.clip_grad_value_),
    ):
        ours = [Tensor(np.zeros_like(g), requires_grad=True) for g in gradients]
        theirs = [torch.zeros(g.shape, requires_grad=True) for g in gradients]
        for p, q, g in zip(ours, theirs, gradients, strict=True):
            p.grad, q.grad = Tensor(g), torch.tensor(g)
        norm, expected = clip(ours, limit), other(theirs, limit)
        if clip is optim.clip_grad_norm:
            assert expected is not None
            assert norm == pytest.approx(float(expected), rel=1e-5)
        for p, q in zip(ours, theirs, strict=True):
            assert p.grad is not None
            assert q.grad is not None
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5)
