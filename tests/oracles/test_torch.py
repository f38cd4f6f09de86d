"""PyTorch says the same: values, gradients of order 1 and 2, on shapes and options that hypothesis draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.testing.strategies import (
    Convolution,
    Pooling,
    arrays,
    convolutions,
    distinct,
    distinct_values,
    poolings,
    shapes,
)
from tests.expressions import leaf_values, programs, run

Function = Callable[..., Any]


@pytest.fixture(autouse=True)
def _without_onednn() -> Iterator[None]:
    """PyTorch 2.13's oneDNN is wrong for one float32 channel with strides (1, 2): a third of small images come out
    otherwise than SciPy has them; PyTorch's own kernel is right, and so is ours."""
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)
    yield
    torch._C._set_mkldnn_enabled(before)


def agree(ours: Function, theirs: Function, *inputs: Any, dtype: Any = np.float64, order: int = 2) -> None:
    """Value; gradient by every input; gradient of the sum of squared gradients by every input."""
    rtol, atol = (1e-8, 1e-9) if dtype == np.float64 else (2e-4, 2e-4)
    arrays = [np.asarray(x, dtype) for x in inputs]
    mine = [Tensor(x, requires_grad=True) for x in arrays]
    other = [torch.tensor(x, requires_grad=True) for x in arrays]
    y, z = ours(*mine), theirs(*other)
    assert y.shape == tuple(z.shape)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=rtol, atol=atol)
    g = np.cos(np.arange(y.size, dtype=float)).reshape(y.shape).astype(dtype)
    # An ounce of y itself keeps every input in the graph, whatever the order.
    s, t = (y * g).sum() + (y * y).sum(), (z * torch.tensor(g)).sum() + (z * z).sum()
    for _ in range(order):
        first = tg.grad(s, mine, create_graph=True, allow_unused=True)
        second = torch.autograd.grad(t, other, create_graph=True, allow_unused=True, materialize_grads=True)
        for a, b in zip(first, second, strict=True):
            assert a.dtype == dtype
            np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=rtol, atol=atol * (1 + b.abs().max().item()))
        s = sum(((a * a).sum() for a in first), start=Tensor(np.zeros((), dtype)))
        t = sum(((b * b).sum() for b in second), start=torch.zeros(()))
        if not (s.requires_grad and t.requires_grad):
            return


def channels_first(t: Any) -> Any:
    return t.movedim(-1, 1)


def kernels(w: Any) -> Any:
    """(KH, KW, C, F) as PyTorch has them."""
    return w.permute(3, 2, 0, 1).contiguous()


def channels_last(t: Any) -> Any:
    return t.movedim(1, -1)


# -- windows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(c=convolutions())
@example(c=Convolution(np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1)), np.ones(1),
                       {"stride": (3, 3), "padding": (2, 2), "dilation": (1, 1), "groups": 1}))  # fmt: skip
@example(c=Convolution(np.cos(np.arange(24.0)).reshape(2, 4, 3, 1), np.cos(np.arange(9.0)).reshape(3, 3, 1, 1),
                       np.ones(1), {"stride": (1, 2), "padding": (0, 0), "dilation": (1, 1), "groups": 1}))  # fmt: skip
def test_conv2d(dtype: Any, c: Convolution) -> None:
    agree(
        lambda x, w, b: tg.conv2d(x, w, b, **c.options),
        lambda x, w, b: channels_last(F.conv2d(channels_first(x), kernels(w), b, **c.options)),
        c.x, c.w, c.b, dtype=dtype, order=2 if dtype == np.float64 else 1,
    )  # fmt: skip


@given(convolutions(), st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_conv_transpose2d(c: Convolution, extra: tuple[int, int]) -> None:
    most = (max(s, d) - 1 for s, d in zip(c.options["stride"], c.options["dilation"], strict=True))
    extra_ = tuple(min(e, m) for e, m in zip(extra, most, strict=True))
    y = tg.conv2d(c.x, c.w, **c.options)
    sizes = zip(
        y.shape[1:3], c.w.shape, *(c.options[k] for k in ("stride", "padding", "dilation")), extra_, strict=False
    )
    if min((n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, k, s, p, d, e in sizes) < 1:
        return  # nothing is left of the image: an error in both libraries
    agree(
        lambda x, w, b: tg.conv_transpose2d(x, w, b, output_padding=extra_, **c.options),
        lambda x, w, b: channels_last(
            F.conv_transpose2d(channels_first(x), kernels(w), b, output_padding=extra_, **c.options)
        ),
        np.cos(np.arange(y.size)).reshape(y.shape), c.w, np.ones(c.x.shape[3]),
    )  # fmt: skip


@given(poolings())
def test_pools(p: Pooling) -> None:
    options = {**p.options, "padding": tuple(p.options["padding"])}
    agree(
        lambda x: tg.max_pool2d(x, **options), lambda x: channels_last(F.max_pool2d(channels_first(x), **options)), p.x
    )
    agree(
        lambda x: tg.min_pool2d(x, **options),
        lambda x: -channels_last(F.max_pool2d(-channels_first(x), **options)),
        p.x,
    )
    agree(
        lambda x: tg.avg_pool2d(x, **options),
        lambda x: channels_last(F.avg_pool2d(channels_first(x), **options, count_include_pad=False)),
        p.x,
    )


@given(st.integers(0, 3))
def test_ties_in_max_pooling_go_to_the_first(seed: int) -> None:
    """The same choice as PyTorch's, on images of few values."""
    x = np.random.default_rng(seed).integers(0, 3, (2, 6, 6, 2)).astype(float)
    agree(lambda t: tg.max_pool2d(t, 2, 1), lambda t: channels_last(F.max_pool2d(channels_first(t), 2, 1)), x)


@given(convolutions())
def test_im2col_and_col2im(c: Convolution) -> None:
    """PyTorch's unfold, but with the axes in another order; and fold."""
    size, (stride, padding, dilation) = c.w.shape[:2], (c.options[k] for k in ("stride", "padding", "dilation"))
    n, h, w, channels = c.x.shape
    taps = size[0] * size[1]

    def unfold(x: Any) -> Any:
        columns = F.unfold(channels_first(x), size, dilation, padding, stride)  # (N, C taps, positions)
        return columns.reshape(n, channels, taps, -1).permute(0, 3, 2, 1).reshape(-1, taps * channels)

    def fold(m: Any) -> Any:
        columns = m.reshape(n, -1, taps, channels).permute(0, 3, 2, 1).reshape(n, channels * taps, -1)
        return channels_last(F.fold(columns, (h, w), size, dilation, padding, stride))

    agree(lambda x: tg.im2col(x, size, stride, padding, dilation), unfold, c.x)
    m = tg.im2col(c.x, size, stride, padding, dilation).array
    agree(lambda m: tg.col2im(m, c.x.shape, size, stride, padding, dilation), fold, m)


@given(arrays(st.just((2, 3, 2, 2))), st.integers(1, 3))
def test_upsampling_and_global_pools(x: Any, factor: int) -> None:
    agree(
        lambda t: tg.upsample2d(t, factor),
        lambda t: channels_last(F.interpolate(channels_first(t), scale_factor=factor, mode="nearest")),
        x,
    )
    agree(tg.global_avg_pool2d, lambda t: F.adaptive_avg_pool2d(channels_first(t), 1).flatten(1), x)
    agree(tg.global_max_pool2d, lambda t: F.adaptive_max_pool2d(channels_first(t), 1).flatten(1), x)


# -- element by element ----------------------------------------------------------------------------


def within(name: str, domain: Function) -> tuple[Function, Function]:
    """A function of both libraries, where it is defined."""
    ours, theirs = getattr(tg, name), getattr(torch, name)
    return lambda x: ours(domain(x)), lambda x: theirs(domain(x))


ELEMENTWISE: dict[str, tuple[Function, Function]] = {
    **{n: (getattr(tg, n), getattr(torch, n)) for n in (
        "abs", "exp", "expm1", "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "square", "sigmoid", "relu",
        "erf",
    )},
    **{n: within(n, lambda x: x.abs() + 0.3) for n in ("sqrt", "log", "log1p", "log2", "log10")},
    **{n: within(n, lambda x: 0.4 * x) for n in ("arcsin", "arccos")},
    "leaky_relu": (lambda x: tg.leaky_relu(x, 0.2), lambda x: F.leaky_relu(x, 0.2)),
    "elu": (lambda x: tg.elu(x, 1.3), lambda x: F.elu(x, 1.3)),
    "gelu": (tg.gelu, F.gelu),
    "softplus": (tg.softplus, F.softplus),
    "swish": (tg.swish, F.silu),
    "clip": (lambda x: tg.clip(x, -0.5, 0.5), lambda x: torch.clamp(x, -0.5, 0.5)),
    "power": (lambda x: x**3, lambda x: x**3),
    "fractional power": (lambda x: (x * x + 0.1) ** 0.7, lambda x: (x * x + 0.1) ** 0.7),
    "exponential": (lambda x: 2.0**x, lambda x: 2.0**x),
    "reciprocal": (lambda x: 1 / (x + 10), lambda x: 1 / (x + 10)),
}  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTWISE)
@given(x=distinct(shapes(max_dims=2)))
def test_elementwise(name: str, x: Any) -> None:
    agree(*ELEMENTWISE[name], x)


BINARY: dict[str, Function] = {
    "arithmetic": lambda x, y: x * y - x / (y * y + 1) + y,
    "power": lambda x, y: (x * x + 0.5) ** y,
}


@pytest.mark.parametrize("name", BINARY)
@given(data=st.data())
def test_binary(name: str, data: st.DataObject) -> None:
    from tensorgrad.testing.strategies import broadcastable_shapes

    x, y = (data.draw(arrays(s)) for s in data.draw(broadcastable_shapes(2)))
    agree(BINARY[name], BINARY[name], x, y)
    z = np.roll(distinct_values(np.random.default_rng(1), (x.size + y.size,)), 1)
    x, y = z[: x.size].reshape(x.shape), z[x.size :].reshape(y.shape)
    agree(tg.maximum, torch.maximum, x, y)
    agree(tg.minimum, torch.minimum, x, y)
    agree(lambda a, b: tg.where(x > 0, a, b), lambda a, b: torch.where(torch.tensor(x > 0), a, b), x, y)


def test_choices_at_ties_are_pytorchs() -> None:
    x = np.array([[1.0, 2.0, 2.0], [0.0, 0.0, 0.0]])
    for ours, theirs in (
        (lambda t: t.max(), lambda t: t.max()), (lambda t: t.max(1), lambda t: t.amax(1)),
        (lambda t: t.min(0), lambda t: t.amin(0)),
        (lambda t: tg.maximum(t, 2.0), lambda t: torch.maximum(t, torch.tensor(2.0))),
        (tg.relu, torch.relu), (tg.abs, torch.abs), (lambda t: t.norm(axis=1), lambda t: t.norm(dim=1)),
        (lambda t: t.clip(0.0, 2.0), lambda t: t.clamp(0.0, 2.0)), (lambda t: t.prod(1), lambda t: t.prod(1)),
        (lambda t: t**2, lambda t: t**2), (lambda t: t**0, lambda t: t**0),
        (lambda t: t.std(1), lambda t: t.std(1, correction=0)),
    ):  # fmt: skip
        agree(ours, theirs, x, order=1)


# -- reductions, products, parts -------------------------------------------------------------------


@given(distinct(shapes(min_dims=2, max_dims=3)), st.integers(-2, 1), st.booleans())
def test_reductions(x: Any, axis: int, keep: bool) -> None:
    for name in ("sum", "mean", "prod"):
        agree(lambda t, n=name: getattr(t, n)(axis, keep), lambda t, n=name: getattr(t, n)(axis, keep), x)
    agree(lambda t: t.max(axis, keep), lambda t: t.amax(axis, keep), x)
    agree(lambda t: t.min(axis, keep), lambda t: t.amin(axis, keep), x)
    agree(lambda t: t.var(axis, keepdims=keep), lambda t: t.var(axis, correction=0, keepdim=keep), x)
    agree(lambda t: t.norm(2, axis, keep), lambda t: t.norm(2, axis, keep), x)
    agree(lambda t: t.norm(3, axis, keep), lambda t: t.norm(3, axis, keep), x)
    agree(lambda t: t.norm(1, axis, keep), lambda t: t.norm(1, axis, keep), x)
    agree(lambda t: t.logsumexp(axis, keep), lambda t: t.logsumexp(axis, keep), x)
    agree(lambda t: t.softmax(axis), lambda t: t.softmax(axis), x)
    agree(lambda t: t.log_softmax(axis), lambda t: t.log_softmax(axis), x)
    agree(lambda t: t.cumsum(axis), lambda t: t.cumsum(axis), x)
    agree(lambda t: t.sort(axis), lambda t: t.sort(axis).values, x)
    if x.shape[axis] > 1:
        agree(lambda t: t.std(axis, 1, keep), lambda t: t.std(axis, keepdim=keep), x)


@given(arrays(shapes(min_dims=1)), st.floats(0, 1))
def test_products_with_zeros(x: Any, share: float) -> None:
    x = np.where(np.random.default_rng(0).random(x.shape) < share, 0, x)
    agree(lambda t: t.prod(), lambda t: t.prod(), x, order=1)
    agree(lambda t: t.prod(-1), lambda t: t.prod(-1), x)


@given(st.data())
def test_products(data: st.DataObject) -> None:
    n, k, m = (data.draw(st.integers(1, 3)) for _ in range(3))
    b = data.draw(st.integers(1, 3))
    a, c = data.draw(arrays(st.just((b, n, k)))), data.draw(arrays(st.just((k, m))))
    agree(lambda x, y: x @ y, lambda x, y: x @ y, a, c)
    agree(lambda x, y: x @ y, lambda x, y: x @ y, a, c[:, 0])
    agree(lambda x, y: x @ y, lambda x, y: x @ y, a[0, 0], c)
    agree(lambda x, y: tg.tensordot(x, y, 1), lambda x, y: torch.tensordot(x, y, 1), a, c)
    for text in ("bnk,km->bnm", "bnk,km->", "bnk,km->nb", "bnk,km->kb", "...nk,km->n...m"):
        agree(lambda x, y, s=text: tg.einsum(s, x, y), lambda x, y, s=text: torch.einsum(s, x, y), a, c)
    agree(lambda x: tg.einsum("ii->i", x @ x.T), lambda x: torch.einsum("ii->i", x @ x.T), c)


def test_parts() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    i, mask = np.array([[0, 1], [1, 1]]), x % 5 > 2
    for ours, theirs in (
        (lambda t: t[i], lambda t: t[torch.tensor(i)]),
        (lambda t: t[:, i, 1:], lambda t: t[:, torch.tensor(i), 1:]),
        (lambda t: t[mask], lambda t: t[torch.tensor(mask)]),
        (lambda t: t[..., None, ::2], lambda t: t[..., None, ::2]),
        (lambda t: tg.pad(t, ((0, 0), (1, 2), (2, 0)), constant=4.0), lambda t: F.pad(t, (2, 0, 1, 2), value=4.0)),
        (lambda t: tg.pad(t, ((0, 0), (0, 0), (2, 1)), "reflect"), lambda t: F.pad(t, (2, 1), "reflect")),
        (lambda t: tg.pad(t, ((0, 0), (0, 0), (2, 1)), "edge"), lambda t: F.pad(t, (2, 1), "replicate")),
        (lambda t: tg.flip(t, (0, 2)), lambda t: t.flip((0, 2))),
        (lambda t: tg.roll(t, 2, 1), lambda t: t.roll(2, 1)),
        (lambda t: tg.repeat(t, [1, 0, 2], 1), lambda t: t.repeat_interleave(torch.tensor([1, 0, 2]), 1)),
        (lambda t: tg.tile(t, (2, 1, 3)), lambda t: t.tile(2, 1, 3)),
        (lambda t: tg.concatenate([t, t * 2], 1), lambda t: torch.cat([t, t * 2], 1)),
        (lambda t: tg.stack([t, t * 2], 2), lambda t: torch.stack([t, t * 2], 2)),
        (lambda t: tg.moveaxis(t, 0, 2), lambda t: t.movedim(0, 2)),
        (lambda t: tg.split(t, [1, 3], 2)[1], lambda t: t.split([1, 2, 1], 2)[1]),
    ):
        agree(ours, theirs, x)


# -- layers' functions and losses ------------------------------------------------------------------


@given(arrays(st.just((3, 2, 2, 4))), st.integers(1, 2))
def test_normalization(x: Any, axes: int) -> None:
    w, b = np.linspace(0.5, 1.5, 4), np.linspace(-1, 1, 4)
    agree(
        lambda x, w, b: tg.batch_norm(x, w, b),
        lambda x, w, b: channels_last(F.batch_norm(channels_first(x), None, None, w, b, training=True)),
        x, w, b,
    )  # fmt: skip
    over = tuple(range(4 - axes, 4))
    agree(lambda x: tg.layer_norm(x, axis=over), lambda x: F.layer_norm(x, x.shape[-axes:]), x)
    agree(lambda x, w, b: tg.layer_norm(x, w, b), lambda x, w, b: F.layer_norm(x, (4,), w, b), x, w, b)
    means, variances = np.zeros(4), np.ones(4)
    their_means, their_variances = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    for momentum in (0.1, 0.4):
        y = tg.batch_norm(x, running_mean=means, running_var=variances, momentum=momentum)
        z = F.batch_norm(
            channels_first(torch.tensor(x)), their_means, their_variances, training=True, momentum=momentum
        )
        np.testing.assert_allclose(y.numpy(), channels_last(z).numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(means, their_means.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(variances, their_variances.numpy(), rtol=1e-9)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@given(x=distinct(st.just((4, 5))), seed=st.integers(0, 99), smoothing=st.sampled_from([0.0, 0.1, 1.0]))
def test_losses(reduction: str, x: Any, seed: int, smoothing: float) -> None:
    rng = np.random.default_rng(seed)
    target, weights = rng.uniform(0.05, 0.95, (4, 5)), rng.uniform(0.5, 2, 5)
    labels = rng.integers(0, 5, 4)
    how = {"reduction": reduction}
    soft = target / target.sum(-1, keepdims=True)
    agree(lambda p, t: tg.mse(p, t, **how), lambda p, t: F.mse_loss(p, t, **how), x, target)
    agree(lambda p: tg.mae(p, target, **how), lambda p: F.l1_loss(p, torch.tensor(target), **how), x)
    agree(
        lambda p: tg.huber(p, target, 0.7, **how), lambda p: F.huber_loss(p, torch.tensor(target), delta=0.7, **how), x
    )
    agree(lambda p: tg.bce(p, soft, **how), lambda p: F.binary_cross_entropy(p, torch.tensor(soft), **how), target)
    agree(
        lambda p: tg.bce_with_logits(p, target, **how),
        lambda p: F.binary_cross_entropy_with_logits(p, torch.tensor(target), **how), x,
    )  # fmt: skip
    agree(
        lambda p, t: tg.cross_entropy(p, t, label_smoothing=smoothing, **how),
        lambda p, t: F.cross_entropy(p, t, label_smoothing=smoothing, **how), x, soft,
    )  # fmt: skip
    for ours, theirs in ((None, None), (weights, torch.tensor(weights))):
        agree(
            lambda p, w=ours: tg.cross_entropy(p, labels, class_weights=w, label_smoothing=smoothing, **how),
            lambda p, w=theirs: F.cross_entropy(p, torch.tensor(labels), w, label_smoothing=smoothing, **how), x,
        )  # fmt: skip


def test_masked_classes() -> None:
    """A logit of minus infinity takes a class out: neither loss nor gradient is NaN."""
    x, labels = np.array([[0.5, -np.inf, 1.0], [1.0, 2.0, -np.inf]]), np.array([0, 1])
    for reduction in ("mean", "sum", "none"):
        mine, other = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        y = tg.cross_entropy(mine, labels, reduction=reduction)
        z = F.cross_entropy(other, torch.tensor(labels), reduction=reduction)
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-12)
        (a,), (b,) = tg.grad(y.sum(), mine), torch.autograd.grad(z.sum(), other)
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_of_exactly_0_and_1(dtype: Any) -> None:
    """The loss of a certain mistake is 100, whatever the dtype."""
    p, t = np.array([0, 1, 0, 1], dtype), np.array([0, 1, 1, 0], dtype)
    y = tg.bce(p, t, reduction="none")
    np.testing.assert_allclose(y.numpy(), F.binary_cross_entropy(torch.tensor(p), torch.tensor(t), reduction="none"))
    assert tg.grad(tg.bce(x := Tensor(p, requires_grad=True), t), x)[0].dtype == dtype


# -- whole programs --------------------------------------------------------------------------------


@given(programs(), st.integers(0, 999))
def test_random_expressions(program: Any, seed: int) -> None:
    agree(lambda *ts: run(program, list(ts), tg), lambda *ts: run(program, list(ts), torch), *leaf_values(seed))


def test_dlpack_both_ways() -> None:
    t = Tensor([1.0, 2.0])
    theirs = torch.utils.dlpack.from_dlpack(t)
    theirs[0] = 5
    assert t.tolist() == [5, 2]
    assert Tensor(np.from_dlpack(torch.arange(3.0))).tolist() == [0, 1, 2]
