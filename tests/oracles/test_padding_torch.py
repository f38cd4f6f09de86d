"""Paddings and pools beside PyTorch's."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.layers import Pool2d
from tests.layers.test_padding import PAIRS


def channels_first(x: Any) -> torch.Tensor:
    return torch.tensor(np.asarray(x).transpose(0, 3, 1, 2), requires_grad=True)


@pytest.mark.parametrize("size", [1, 2, 3, 4, (2, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_keep_is_what_pytorch_calls_same(size: Any, dilation: int) -> None:
    rng = np.random.default_rng(0)
    kernel = (size, size) if isinstance(size, int) else size
    images, kernels = rng.standard_normal((2, 7, 8, 3)), rng.standard_normal((*kernel, 3, 4))
    tx, tw = channels_first(images), torch.tensor(kernels.transpose(3, 2, 0, 1), requires_grad=True)
    x, w = (Tensor(a, requires_grad=True) for a in (images, kernels))
    y = tg.conv2d(x, w, padding="keep", dilation=dilation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that PyTorch makes a copy for even kernels
        ty = torch.nn.functional.conv2d(tx, tw, padding="same", dilation=dilation).permute(0, 2, 3, 1)
    np.testing.assert_allclose(y.numpy(), ty.detach().numpy(), atol=1e-12)
    g = rng.standard_normal(y.shape)
    y.backward(g)
    ty.backward(torch.tensor(g))
    np.testing.assert_allclose(x.grad.numpy(), tx.grad.permute(0, 2, 3, 1).numpy(), atol=1e-12)
    np.testing.assert_allclose(w.grad.numpy(), tw.grad.permute(2, 3, 1, 0).numpy(), atol=1e-12)


@given(
    image=st.tuples(st.integers(1, 9), st.integers(1, 9)), kernel=PAIRS, stride=PAIRS, ceil_mode=st.booleans(),
    kind=st.sampled_from(["max", "min", "average"]), data=st.data(),
)  # fmt: skip
def test_pools_against_pytorch(
    image: Any, kernel: Any, stride: Any, ceil_mode: bool, kind: str, data: st.DataObject
) -> None:
    """With up to half a window of padding, as far as PyTorch goes."""
    padding = tuple(data.draw(st.integers(0, k // 2)) for k in kernel)
    assume(all(n + 2 * p >= k for n, p, k in zip(image, padding, kernel, strict=True)))
    rng = np.random.default_rng(0)
    x = rng.permuted(np.arange(2.0 * image[0] * image[1] * 2)).reshape(2, *image, 2)
    tx, sign = channels_first(x), -1 if kind == "min" else 1
    if kind == "average":
        ty = torch.nn.functional.avg_pool2d(tx, kernel, stride, padding, ceil_mode, count_include_pad=False)
    else:
        ty = sign * torch.nn.functional.max_pool2d(sign * tx, kernel, stride, padding, ceil_mode=ceil_mode)
    ty = ty.permute(0, 2, 3, 1)
    layer = Pool2d(kernel, stride, kind, padding, ceil_mode)
    t = Tensor(x, requires_grad=True)
    y = layer(t)
    np.testing.assert_allclose(y.numpy(), ty.detach().numpy(), atol=1e-12)
    assert layer.output_shape == y.shape[1:]
    g = rng.standard_normal(y.shape)
    y.backward(g)
    ty.backward(torch.tensor(g))
    np.testing.assert_allclose(t.grad.numpy(), tx.grad.permute(0, 2, 3, 1).numpy(), atol=1e-12)
    np.testing.assert_array_equal(tg.pool2d(kind, x, kernel, stride, padding, ceil_mode).numpy(), y.numpy())
