"""Transposed convolutions, sequences and pools beside PyTorch's, with their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.layers import (
    Concatenate,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Layer,
    Pool1d,
)
from tensorgrad.testing import gradcheck
from tests.layers.test_further_layers import SIDES

F = torch.nn.functional


def double(layer: Layer, x: Any) -> list[torch.Tensor]:
    """Wire a layer to a batch, give it float64 parameters, and return them for PyTorch."""
    layer.wire(x.shape[1:])
    layer.astype("float64")
    rng = np.random.default_rng(1)
    for p in layer.parameters():
        p.data = rng.standard_normal(p.shape)
    return [torch.tensor(p.numpy().copy(), requires_grad=True) for p in layer.parameters()]


def agree(layer: Layer, x: Any, parameters: list[torch.Tensor], tx: torch.Tensor, ty: torch.Tensor) -> None:
    """The value of a layer, and its gradients by the input and by the parameters, are PyTorch's."""
    t = Tensor(x, requires_grad=True)
    y = layer(t)
    assert y.shape[1:] == layer.output_shape
    np.testing.assert_allclose(y.numpy(), ty.detach().numpy(), atol=1e-10)
    g = np.random.default_rng(2).standard_normal(y.shape)
    y.backward(g)
    ty.backward(torch.tensor(g))
    pairs = [(t, tx), *zip(layer.parameters(), parameters, strict=True)]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), atol=1e-10)


@given(
    image=st.tuples(SIDES, SIDES), kernel=st.tuples(SIDES, SIDES), stride=st.tuples(SIDES, SIDES),
    dilation=st.tuples(SIDES, SIDES), padding=st.tuples(st.integers(0, 2), st.integers(0, 2)), groups=st.integers(1, 2),
    extra=st.integers(0, 2), isbias=st.booleans(),
)  # fmt: skip
def test_conv_transpose2d(
    image: Any, kernel: Any, stride: Any, dilation: Any, padding: Any, groups: int, extra: int, isbias: bool
) -> None:
    extra = min(extra, *(max(s, d) - 1 for s, d in zip(stride, dilation, strict=True)))
    geometry = zip(image, kernel, stride, dilation, padding, strict=True)
    assume(all((n - 1) * s - 2 * p + d * (k - 1) + extra + 1 > 0 for n, k, s, d, p in geometry))
    layer = ConvTranspose2d(
        filters=4, kernel_size=kernel, stride=stride, dilation=dilation, padding=padding, output_padding=extra,
        groups=groups, isbias=isbias, activation="tanh",
    )  # fmt: skip
    x = np.random.default_rng(0).standard_normal((2, *image, 6))
    parameters = double(layer, x)
    tx = torch.tensor(x, requires_grad=True)
    w = parameters[0].permute(3, 2, 0, 1)  # (channels, filters / groups, KH, KW)
    ty = F.conv_transpose2d(
        tx.permute(0, 3, 1, 2), w, parameters[1] if isbias else None, stride, padding, extra, groups, dilation
    )
    agree(layer, x, parameters, tx, ty.permute(0, 2, 3, 1).tanh())


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_keep_makes_images_larger_by_the_stride(kernel: int, stride: int) -> None:
    """It is the transpose of the convolution that keeps, which makes the large images small again."""
    layer = ConvTranspose2d(filters=2, kernel_size=kernel, stride=stride, padding="keep", isbias=False)
    rng = np.random.default_rng(0)
    x, large = rng.standard_normal((1, 4, 5, 3)), rng.standard_normal((1, 4 * stride, 5 * stride, 2))
    double(layer, x)
    y = layer(x).numpy()
    assert y.shape == large.shape
    back = tg.conv2d(large, layer.weights, stride=stride, padding="keep").numpy()
    np.testing.assert_allclose((y * large).sum(), (x * back).sum())


@given(
    length=st.integers(1, 9), kernel=st.integers(1, 4), stride=SIDES, dilation=SIDES, groups=st.integers(1, 2),
    padding=st.sampled_from(["valid", "keep", None, 1, (3, 0)]), isbias=st.booleans(),
)  # fmt: skip
def test_conv1d(length: int, kernel: int, stride: int, dilation: int, groups: int, padding: Any, isbias: bool) -> None:
    reach = dilation * (kernel - 1) + 1
    missing = max((-(-length // stride) - 1) * stride + reach - length, 0)
    pads = {"keep": (missing // 2, missing - missing // 2), 1: (1, 1), (3, 0): (3, 0)}.get(padding, (0, 0))
    assume(length + sum(pads) >= reach)
    layer = Conv1d(
        filters=4, kernel_size=kernel, stride=stride, dilation=dilation, groups=groups, padding=padding, isbias=isbias
    )
    x = np.random.default_rng(0).standard_normal((2, length, 6))
    parameters = double(layer, x)
    tx = torch.tensor(x, requires_grad=True)
    framed = F.pad(tx.permute(0, 2, 1), pads)
    w, b = parameters[0].permute(2, 1, 0), parameters[1] if isbias else None
    ty = F.conv1d(framed, w, b, stride, 0, dilation, groups)
    if padding == "keep":
        assert ty.shape[2] == -(-length // stride)
    agree(layer, x, parameters, tx, ty.permute(0, 2, 1))


@given(
    length=st.integers(2, 9), kernel=st.integers(1, 4), stride=SIDES, kind=st.sampled_from(["max", "average"]),
    ceil_mode=st.booleans(), padded=st.booleans(),
)  # fmt: skip
def test_pool1d(length: int, kernel: int, stride: int, kind: str, ceil_mode: bool, padded: bool) -> None:
    padding = kernel // 2 if padded else 0
    assume(length + 2 * padding >= kernel)
    layer = Pool1d(kernel, stride, kind, padding, ceil_mode)
    x = np.random.default_rng(0).standard_normal((2, length, 3))
    tx = torch.tensor(x, requires_grad=True)
    first = tx.permute(0, 2, 1)
    if kind == "max":
        ty = F.max_pool1d(first, kernel, stride, padding, ceil_mode=ceil_mode)
    else:
        ty = F.avg_pool1d(first, kernel, stride, padding, ceil_mode, count_include_pad=False)
    agree(layer, x, double(layer, x), tx, ty.permute(0, 2, 1))


def test_gradients_of_second_order() -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 3, 2))
    cases: list[tuple[Layer, Any]] = [
        (ConvTranspose2d(filters=2, stride=2, activation="tanh"), x),
        (Concatenate([Conv2d(filters=2), []]), x),
        (Conv1d(filters=2, activation="sigmoid"), x[0]),
        (Pool1d(2, kind="average"), x[0]),
    ]
    for layer, samples in cases:
        double(layer, samples)
        gradcheck(layer, samples, order=2, directions=1)
