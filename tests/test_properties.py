"""Algebra: adjoints, linearity, the definition of convolution, rules of calculus on random expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import signal

import tensorgrad as tg
from tensorgrad import Tensor, ops
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.kernels.lowering import around
from tensorgrad.testing import gradcheck
from tensorgrad.testing.strategies import Convolution, Pooling, arrays, convolutions, poolings, shapes
from tests import reference
from tests.expressions import leaf_values, programs, run
from tests.ops.table import pool


def like(x: Any, seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-1, 1, np.shape(x))


def inner(x: Any, y: Any) -> Any:
    return (np.asarray(x) * np.asarray(y)).sum()


def close(x: Any, y: Any) -> None:
    np.testing.assert_allclose(np.asarray(tg.engine.value(x)), np.asarray(tg.engine.value(y)), rtol=1e-10, atol=1e-10)


def window(c: Convolution) -> dict[str, Any]:
    return {"size": c.w.shape[:2], **{k: v for k, v in c.options.items() if k != "groups"}}


# -- windows: adjoints --------------------------------------------------------------------------------------------


@given(convolutions())
def test_im2col_and_col2im_are_adjoint(c: Convolution) -> None:
    """<im2col x, m> = <x, col2im m>."""
    options = {**window(c), "padding": around(c.options["padding"])}
    columns = ops.im2col(c.x, **options)
    m = like(columns)
    close(inner(columns, m), inner(c.x, ops.col2im(m, shape=c.x.shape, **options)))


@given(convolutions())
def test_the_three_convolutions_are_adjoint(c: Convolution) -> None:
    """<conv(x, w), g> = <x, input(g, w)> = <w, weight(x, g)>."""
    options = {**c.options, "padding": around(c.options["padding"])}
    y = ops.conv2d(c.x, c.w, **options)
    g = like(y)
    close(inner(y, g), inner(c.x, ops.conv2d_input(g, c.w, shape=c.x.shape, **options)))
    close(inner(y, g), inner(c.w, ops.conv2d_weight(c.x, g, size=c.w.shape[:2], **options)))


@given(poolings(), st.booleans())
def test_selecting_and_placing_are_adjoint(p: Pooling, largest: bool) -> None:
    options = {"size": p.options["kernel_size"], "stride": p.options["stride"], "padding": around(p.options["padding"])}
    v = like(p.x)
    extremes = (ops.max_pool2d if largest else ops.min_pool2d)(p.x, **options)
    y = ops.pool_select(v, p.x, extremes, **options)
    g = like(y, 1)
    close(inner(y, g), inner(v, ops.pool_place(g, p.x, extremes, **options)))
    means = ops.avg_pool2d(v, **options)
    close(inner(means, g), inner(v, ops.pool_spread(g, shape=p.x.shape, **options)))


@given(convolutions(), st.integers(0, 99))
def test_convolution_is_bilinear(c: Convolution, seed: int) -> None:
    x, w = like(c.x, seed), like(c.w, seed + 1)
    both = tg.conv2d(c.x + 2 * x, c.w - 3 * w, **c.options).array
    parts = [tg.conv2d(a, b, **c.options).array for a in (c.x, x) for b in (c.w, w)]
    close(both, parts[0] - 3 * parts[1] + 2 * parts[2] - 6 * parts[3])


# -- windows: definitions -----------------------------------------------------------------------------------------


@given(convolutions())
def test_convolution_by_definition_and_by_composition(c: Convolution) -> None:
    """Four loops; and im2col, a matrix product per group, and reshaping."""
    y = tg.conv2d(c.x, c.w, c.b, **c.options)
    close(y, reference.conv2d(c.x, c.w, **c.options) + c.b)
    groups = c.options["groups"]
    columns = tg.im2col(c.x, c.w.shape[:2], *(c.options[k] for k in ("stride", "padding", "dilation")))
    taps_of = columns.reshape(len(columns), -1, groups, c.w.shape[2])
    parts = [
        taps_of[:, :, i].reshape(len(columns), -1) @ w.reshape(-1, c.w.shape[3] // groups)
        for i, w in enumerate(np.split(c.w, groups, axis=3))
    ]
    close(tg.concatenate(parts, 1).reshape(y.shape) + c.b, y)


@given(convolutions())
def test_the_gradients_of_convolution_are_those_of_its_composition(c: Convolution) -> None:
    """At order 1 and 2, for one group: the fused kernel against im2col and a matrix product."""
    if c.options["groups"] != 1:
        c = Convolution(c.x[..., : c.w.shape[2]], c.w, c.b, {**c.options, "groups": 1})
    geometry = [c.options[k] for k in ("stride", "padding", "dilation")]

    def composed(x: Tensor, w: Tensor) -> Tensor:
        y = tg.im2col(x, c.w.shape[:2], *geometry) @ w.reshape(-1, c.w.shape[3])
        return y.reshape(tg.conv2d(c.x, c.w, **c.options).shape)

    found = []
    for f in (lambda x, w: tg.conv2d(x, w, **c.options), composed):
        x, w = Tensor(c.x, requires_grad=True), Tensor(c.w, requires_grad=True)
        first = tg.grad((f(x, w) ** 3).sum(), (x, w), create_graph=True)
        second = tg.grad(sum(((g * g).sum() for g in first), start=Tensor(0.0)), (x, w))
        found.append((*first, *second))
    for fused, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fused.numpy(), plain.numpy(), rtol=1e-9, atol=1e-8)


@given(convolutions())
def test_convolution_is_scipys_correlation(c: Convolution) -> None:
    """One image, one channel, one filter at a time, and then every stride-th pixel."""
    (ph, pw), (sh, sw), (dh, dw) = (c.options[k] for k in ("padding", "stride", "dilation"))
    kernel = np.zeros((dh * (c.w.shape[0] - 1) + 1, dw * (c.w.shape[1] - 1) + 1))
    kernel[::dh, ::dw] = c.w[:, :, 0, 0]
    image = np.pad(c.x[0, :, :, 0], ((ph, ph), (pw, pw)))
    expected = signal.correlate(image, kernel, "valid")[::sh, ::sw]
    y = tg.conv2d(c.x[:1, :, :, :1], c.w[:, :, :1, :1], **{**c.options, "groups": 1})
    close(y[0, :, :, 0], expected)


@given(convolutions())
def test_transposed_convolution_gives_back_what_convolution_takes(c: Convolution) -> None:
    """<conv(x), y> = <x, conv_transpose(y)>, with the output padding that makes the sizes meet."""
    y = tg.conv2d(c.x, c.w, **c.options)
    lost = tuple(
        (n + 2 * p - d * (k - 1) - 1) % s
        for n, k, p, d, s in zip(
            c.x.shape[1:3], c.w.shape, *(c.options[o] for o in ("padding", "dilation", "stride")), strict=False
        )
    )
    g = like(y)
    back = tg.conv_transpose2d(g, c.w, output_padding=lost, **c.options)
    assert back.shape == c.x.shape
    close(inner(y.array, g), inner(c.x, back.array))


@given(poolings())
def test_pools_by_definition(p: Pooling) -> None:
    options = {("size" if k == "kernel_size" else k): v for k, v in p.options.items()}
    close(tg.max_pool2d(p.x, **p.options), pool(np.max, -np.inf)(p.x, **options))
    close(tg.min_pool2d(p.x, **p.options), pool(np.min, np.inf)(p.x, **options))
    close(tg.avg_pool2d(p.x, **p.options), pool(np.nanmean, np.nan)(p.x, **options))
    close(tg.min_pool2d(p.x, **p.options), -tg.max_pool2d(-p.x, **p.options))


@given(poolings(), st.floats(-10, 10))
def test_pooling_a_constant_gives_the_constant(p: Pooling, value: float) -> None:
    x = np.full_like(p.x, value)
    for f in (tg.max_pool2d, tg.min_pool2d, tg.avg_pool2d):
        y = f(x, **p.options)
        close(y, np.full(y.shape, value))


@given(poolings())
def test_the_gradient_of_a_pool_adds_up_to_the_windows(p: Pooling) -> None:
    """Each window hands on all that it receives: the sum of the gradient is the number of windows."""
    for f in (tg.max_pool2d, tg.min_pool2d, tg.avg_pool2d):
        x = Tensor(p.x, requires_grad=True)
        y = f(x, **p.options)
        y.sum().backward()
        assert x.grad is not None
        close(x.grad.numpy().sum(), y.size)


@given(arrays(st.just((1, 6, 5, 2))), st.integers(1, 3), st.integers(1, 2))
def test_convolution_commutes_with_shifts(x: Any, rows: int, columns: int) -> None:
    """Away from the frame, a shifted image has a shifted result."""
    w = like(np.empty((3, 2, 2, 3)))
    wide = np.pad(x, ((0, 0), (6, 6), (6, 6), (0, 0)))
    shifted = np.roll(wide, (rows, columns), (1, 2))
    close(tg.conv2d(shifted, w), np.roll(tg.conv2d(wide, w).array, (rows, columns), (1, 2)))


@given(convolutions())
def test_one_sample_is_a_batch_of_one(c: Convolution) -> None:
    close(tg.conv2d(c.x[0], c.w, c.b, **c.options), tg.conv2d(c.x[:1], c.w, c.b, **c.options)[0])
    assert tg.conv2d(c.x[:0], c.w, c.b, **c.options).shape[0] == 0


@given(convolutions())
def test_im2col_rows_are_windows(c: Convolution) -> None:
    windows = reference.windows(c.x, **window(c))
    close(tg.im2col(c.x, *window(c).values()), windows.reshape(-1, np.prod(windows.shape[3:])))


@given(st.tuples(st.integers(1, 3), st.integers(1, 3)), arrays(st.just((2, 3, 2, 2))))
def test_upsampling_and_pooling_undo_each_other(size: tuple[int, int], x: Any) -> None:
    for f in (tg.max_pool2d, tg.avg_pool2d, tg.min_pool2d):
        close(f(tg.upsample2d(x, size), size), x)


# -- softmax and its family ----------------------------------------------------------------------------------------


@given(arrays(shapes(min_dims=1), low=-5, high=5), st.floats(-100, 100))
def test_softmax_family(x: Any, shift: float) -> None:
    y = tg.softmax(x)
    assert (y.array > 0).all()
    close(y.sum(-1), np.ones(x.shape[:-1]))
    close(tg.softmax(x + shift), y)
    close(tg.log_softmax(x).exp(), y)
    close(tg.logsumexp(x + shift, -1), tg.logsumexp(x, -1) + shift)
    t = Tensor(x, requires_grad=True)
    (g,) = tg.grad((tg.softmax(t) * like(x)).sum(), t)
    close(g.sum(-1), np.zeros(x.shape[:-1]))  # softmax does not change along (1, 1, ..., 1)


@given(arrays(st.just((4, 5)), low=-5, high=5), st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_cross_entropy_of_labels_is_that_of_their_one_hot_rows(x: Any, labels: list[int]) -> None:
    rows = np.eye(5)[labels]
    close(tg.cross_entropy(x, labels), tg.cross_entropy(x, rows))
    close(tg.cross_entropy(x, labels), -tg.log_softmax(x)[np.arange(4), labels].mean())
    t = Tensor(x, requires_grad=True)
    (g,) = tg.grad(tg.cross_entropy(t, labels), t)
    close(g, (tg.softmax(x).array - rows) / 4)


# -- linear maps: f(a x + b y) = a f(x) + b f(y), and the gradient is the transpose, whatever the point ---------------

LINEAR = {
    "sum": lambda x: tg.sum(x, 0), "mean": lambda x: tg.mean(x, 1), "cumsum": lambda x: tg.cumsum(x, 1),
    "transpose": tg.transpose, "flip": tg.flip, "roll": lambda x: tg.roll(x, 1, 1), "tile": lambda x: tg.tile(x, 2),
    "repeat": lambda x: tg.repeat(x, 2, 0), "pad": lambda x: tg.pad(x, 1), "edge": lambda x: tg.pad(x, 2, "edge"),
    "reflect": lambda x: tg.pad(x, 1, "reflect"), "take": lambda x: tg.take(x, [0, 0, 1], 0),
    "getitem": lambda x: x[:, ::-1],
    "matmul": lambda x: x @ np.arange(12.0).reshape(3, 4), "einsum": lambda x: tg.einsum("ij,kj->ik", x, np.eye(3)),
    "broadcast": lambda x: tg.broadcast_to(x, (2, 2, 3)), "upsample": lambda x: tg.upsample2d(x.reshape(1, 2, 3, 1)),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
@given(arrays(st.just((2, 3))), arrays(st.just((2, 3))))
def test_linear_maps(name: str, x: Any, y: Any) -> None:
    f = LINEAR[name]
    close(f(Tensor(2 * x - 3 * y)), 2 * f(Tensor(x)) - 3 * f(Tensor(y)))
    t = Tensor(x, requires_grad=True)
    out = f(t)
    g = like(out)
    (back,) = tg.grad(out, t, g)
    close(inner(f(Tensor(y)).array, g), inner(y, back.array))


# -- the rules of calculus, on random expressions -------------------------------------------------------------------


@given(programs(), st.integers(0, 999))
@example([("matmul of tanh", (0, 0)), ("mul", (2, 2)), ("transpose twice", (3,)), ("div by 2 + square", (4, 4))], 0)
def test_random_expressions(program: Any, seed: int) -> None:
    """Against the complex step and central differences, at order 1 and 2."""
    gradcheck(lambda *leaves: run(program, list(leaves), tg) + 0 * leaves[0].sum(), *leaf_values(seed), directions=1)


@given(programs(1, 5), programs(1, 5), st.integers(0, 999))
def test_sum_product_quotient_and_chain_rule(f: Any, g: Any, seed: int) -> None:
    (x,) = leaf_values(seed, 1)

    def derivative(h: Any) -> tuple[Any, Any]:
        t = Tensor(x, requires_grad=True)
        y = h(t)
        return y.array, tg.grad(y, t)[0].array

    def of(p: Any) -> Any:
        return lambda t: run(p, [t], tg)

    (u, du), (v, dv) = derivative(of(f)), derivative(of(g))
    close(derivative(lambda t: of(f)(t) + of(g)(t))[1], du + dv)
    close(derivative(lambda t: of(f)(t) * of(g)(t))[1], du * v + u * dv)
    scale = 1 + abs(v)
    close(
        derivative(lambda t: of(f)(t) / (of(g)(t) + 2 * scale))[1],
        (du * (v + 2 * scale) - u * dv) / (v + 2 * scale) ** 2,
    )
    close(derivative(lambda t: tg.tanh(of(f)(t)))[1], (1 - np.tanh(u) ** 2) * du)


@given(programs(), st.integers(0, 999))
def test_first_order_is_the_same_with_create_graph(program: Any, seed: int) -> None:
    """One rule for every order: recorded or not, to the last bit."""
    leaves = [Tensor(x, requires_grad=True) for x in leaf_values(seed)]
    y = run(program, leaves, tg)
    plain = tg.grad(y, leaves, retain_graph=True, allow_unused=True)
    recorded = tg.grad(y, leaves, create_graph=True, allow_unused=True)
    for a, b in zip(plain, recorded, strict=True):
        np.testing.assert_array_equal(a.array, b.array)


@given(programs(), st.integers(0, 999))
def test_hessians_are_symmetric(program: Any, seed: int) -> None:
    (x,) = leaf_values(seed, 1)

    def f(t: Tensor) -> Tensor:
        return run(program, [t, t * 0.5], tg)

    h = tg.hessian(f, x).array.reshape(4, 4)
    np.testing.assert_allclose(h, h.T, atol=1e-10 * (1 + np.abs(h).max()))
    v = like(x)
    np.testing.assert_allclose(tg.hvp(f, x, v).array.ravel(), h @ v.ravel(), atol=1e-10 * (1 + np.abs(h).max()))


@given(programs(), st.integers(0, 999))
def test_jvp_and_gradient_are_transposes(program: Any, seed: int) -> None:
    """<J v, u> = <v, J^T u>."""
    (x,) = leaf_values(seed, 1)

    def f(t: Tensor) -> Tensor:
        return t.tanh() * run(program, [t, t * 0.5], tg)

    t = Tensor(x, requires_grad=True)
    u, v = like(x, 1), like(x, 2)
    (pulled,) = tg.grad(f(t), t, u)
    np.testing.assert_allclose(inner(tg.jvp(f, x, v).array, u), inner(v, pulled.array), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        tg.jacobian(f, x).array.reshape(4, 4) @ v.ravel(), tg.jvp(f, x, v).array.ravel(), atol=1e-9
    )


@pytest.mark.parametrize("name", ACTIVATIONS)
@given(c=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_the_fused_convolution_is_its_composition(name: str, c: Convolution, seed: int) -> None:
    """conv2d with an activation against activation(conv2d + b), and without a bias: the value, and two orders."""
    activation = ACTIVATIONS[name]
    bias = np.random.default_rng(seed).standard_normal(c.w.shape[3])
    results = []
    for together in (True, False):
        x, w, b = (Tensor(a, requires_grad=True) for a in (c.x, c.w, bias))
        if together:
            y = tg.conv2d(x, w, b, **c.options, activation=name)
            plain = tg.conv2d(x, w, **c.options, activation=name)
        else:
            y = activation(tg.conv2d(x, w, **c.options) + b)
            plain = activation(tg.conv2d(x, w, **c.options))
        first = tg.grad((y * y + plain * plain).sum(), (x, w, b), create_graph=True)
        second = tg.grad(sum((g * g).sum() for g in first), (x, w, b), allow_unused=True)
        results.append([y, plain, *first, *second])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10, atol=1e-10)
