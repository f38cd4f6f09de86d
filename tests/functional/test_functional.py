"""Every public function: gradients of order 1 and 2, and its value where NumPy has the same function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from scipy import special

import tensorgrad as tg
from tensorgrad import Tensor, functional, losses
from tensorgrad.testing import gradcheck
from tensorgrad.testing.strategies import distinct_values
from tests.ops.table import softmax, strided


def array(*shape: int, low: float = -2.0, high: float = 2.0) -> Any:
    """Values in general position: no ties, none near 0 or 1."""
    values = distinct_values(np.random.default_rng(len(shape) + sum(shape)), shape)
    top = np.abs(values).max(initial=1e-9)
    return (values / top + 1) / 2 * (high - low) + low


A, B, M, V = array(2, 3), array(2, 3, low=-1.5, high=2.5), array(3, 4), array(3)
POSITIVE, UNIT = array(2, 3, low=0.3), array(2, 3, low=-0.8, high=0.8)
IMAGES, KERNELS = array(2, 5, 4, 2), array(3, 2, 2, 4)
LABELS = np.array([2, 0])
SOFT = softmax(array(2, 3), -1)
CHOICE = np.array([[True, False, True], [False, False, True]])


def unary(name: str, x: Any = A, reference: Any = None) -> tuple[str, Any, Any, Any]:
    return name, getattr(functional, name), (x,), reference or getattr(np, name)


# name, function of tensors, inputs, the same by NumPy or SciPy (or None, where test_windows or the oracles have it)
Row = tuple[str, Callable[..., Any], tuple[Any, ...], Any]
ROWS: list[Row] = [
    *map(unary, ["abs", "sign", "exp", "expm1", "sin", "cos", "tan", "arctan", "sinh", "cosh", "tanh", "square"]),
    *(unary(name, POSITIVE) for name in ["sqrt", "log", "log1p", "log2", "log10"]),
    *(unary(name, UNIT) for name in ["arcsin", "arccos"]),
    unary("erf", A, special.erf),
    unary("relu", A, lambda x: np.maximum(x, 0)),
    unary("leaky_relu", A, lambda x: np.where(x > 0, x, 0.01 * x)),
    unary("elu", A, lambda x: np.where(x > 0, x, np.expm1(x))),
    unary("gelu", A, lambda x: x * special.ndtr(x)),
    unary("sigmoid", A, special.expit),
    unary("softplus", A, lambda x: np.log(1 + np.exp(x))),
    unary("swish", A, lambda x: x * special.expit(x)),
    unary("linear", A, lambda x: x),
    ("softmax", functional.softmax, (A,), lambda x: softmax(x, -1)),
    ("softmax", lambda x: functional.softmax(x, (0, 1)), (A,), lambda x: softmax(x, (0, 1))),
    ("log_softmax", lambda x: functional.log_softmax(x, 0), (A,), lambda x: np.log(softmax(x, 0))),
    ("power", functional.power, (POSITIVE, B), np.power),
    ("power", lambda x: x**3, (A,), lambda x: x**3),
    ("power", lambda x: 2**x, (A,), lambda x: 2**x),
    ("remainder", functional.remainder, (A, POSITIVE + 0.06), np.remainder),
    ("remainder", lambda x: x % 0.7, (A,), lambda x: np.remainder(x, 0.7)),
    ("remainder", lambda x: 2.1 % x, (POSITIVE,), lambda x: np.remainder(2.1, x)),
    ("maximum", functional.maximum, (A, B), np.maximum),
    ("minimum", functional.minimum, (A, B), np.minimum),
    ("clip", lambda x: functional.clip(x, -0.5, 0.7), (A,), lambda x: np.clip(x, -0.5, 0.7)),
    ("clip", functional.clip, (A, array(3, low=-0.6, high=-0.1), array(3, low=0.3, high=0.9)), np.clip),
    ("where", lambda x, y: functional.where(CHOICE, x, y), (A, V), lambda x, y: np.where(CHOICE, x, y)),
    ("where", lambda x: functional.where(CHOICE, x, 0.0), (A,), lambda x: np.where(CHOICE, x, 0.0)),
    ("matmul", functional.matmul, (A, M), np.matmul),
    ("matmul", functional.matmul, (V, M), np.matmul),
    ("matmul", functional.matmul, (A, V), np.matmul),
    ("matmul", functional.matmul, (V, V[::-1]), np.matmul),
    ("matmul", functional.matmul, (array(2, 2, 3), M), np.matmul),
    ("matmul", functional.matmul, (V, array(2, 3, 2)), np.matmul),
    ("matmul", functional.matmul, (array(2, 1, 2, 3), array(4, 3, 2)), np.matmul),
    ("matmul", functional.matmul, (array(2, 2, 3), V), np.matmul),
    ("affine", functional.affine, (A, M, array(M.shape[1])), lambda x, w, b: x @ w + b),
    ("affine", functional.affine, (V, M, array(M.shape[1])), lambda x, w, b: x @ w + b),
    ("affine", functional.affine, (array(2, 2, 3), M, array(M.shape[1])), lambda x, w, b: x @ w + b),
    ("affine", lambda x, w: functional.affine(x, w, activation="tanh"), (A, M), lambda x, w: np.tanh(x @ w)),
    ("affine", lambda x, w, b: functional.affine(x, w, b, activation="sigmoid"), (A, M, array(M.shape[1])),
     lambda x, w, b: special.expit(x @ w + b)),
    ("dot", functional.dot, (A, array(2, 3, 2)), np.dot),
    ("dot", functional.dot, (V, V * 2), np.dot),
    ("dot", functional.dot, (A, array(low=0.5)), np.dot),
    ("outer", functional.outer, (V, array(2)), np.outer),
    ("tensordot", lambda x, y: functional.tensordot(x, y, ((0, 2), (1, 0))), (array(2, 3, 4), array(4, 2, 3)),
     lambda x, y: np.tensordot(x, y, ((0, 2), (1, 0)))),
    ("tensordot", lambda x, y: functional.tensordot(x, y, 0), (V, A), lambda x, y: np.tensordot(x, y, 0)),
    *(
        ("einsum", lambda *xs, s=s: functional.einsum(s, *xs), xs, lambda *xs, s=s: np.einsum(s, *xs))
        for s, xs in [
            ("ij,jk", (A, M)), ("ii->i", (array(3, 3),)), ("ii", (array(3, 3),)), ("iij->j", (array(2, 2, 3),)),
            ("ij->j", (A,)), ("ij,k->i", (A, array(4))), ("...ij,jk->...ik", (array(2, 2, 3), M)),
            ("b...,b...->...", (array(2, 3), array(2, 3))), ("...,...", (A, V)), ("i,i,i->i", (V, V + 1, V + 2)),
            ("iij,ik->jk", (array(2, 2, 3), array(2, 4))), (" i j -> j i ", (A,)),
        ]
    ),
    ("sum", lambda x: functional.sum(x, 0), (A,), lambda x: np.sum(x, 0)),
    ("mean", lambda x: functional.mean(x, (0, 1), keepdims=True), (A,), lambda x: np.mean(x, keepdims=True)),
    ("var", lambda x: functional.var(x, 1, ddof=1), (A,), lambda x: np.var(x, 1, ddof=1)),
    ("std", lambda x: functional.std(x, -1, ddof=1), (A,), lambda x: np.std(x, -1, ddof=1)),
    ("std", functional.std, (A,), np.std),
    ("max", lambda x: functional.max(x, 1), (A,), lambda x: np.max(x, 1)),
    ("min", functional.min, (A,), np.min),
    ("prod", lambda x: functional.prod(x, 0), (A * CHOICE,), lambda x: np.prod(x, 0)),
    ("cumsum", lambda x: functional.cumsum(x, 1), (A,), lambda x: np.cumsum(x, 1)),
    ("cumsum", functional.cumsum, (A,), np.cumsum),
    ("logsumexp", lambda x: functional.logsumexp(x, 1), (A,), lambda x: special.logsumexp(x, 1)),
    ("norm", functional.norm, (A,), np.linalg.norm),
    ("norm", lambda x: functional.norm(x, 1, axis=1), (A,), lambda x: np.linalg.norm(x, 1, axis=1)),
    ("norm", lambda x: functional.norm(x, 3, axis=1), (A,), lambda x: np.linalg.norm(x, 3, axis=1)),
    ("norm", lambda x: functional.norm(x, np.inf, axis=0), (A,), lambda x: np.linalg.norm(x, np.inf, axis=0)),
    ("sort", lambda x: functional.sort(x, 0), (A,), lambda x: np.sort(x, 0)),
    ("sort", lambda x: functional.sort(x, None), (A,), lambda x: np.sort(x, None)),
    ("reshape", lambda x: functional.reshape(x, (3, -1)), (A,), lambda x: np.reshape(x, (3, -1))),
    ("transpose", functional.transpose, (A,), np.transpose),
    ("transpose", lambda x: functional.transpose(x, (2, 0, 1)), (array(2, 3, 4),), lambda x: x.transpose(2, 0, 1)),
    ("moveaxis", lambda x: functional.moveaxis(x, (0, 1), (2, 0)), (array(2, 3, 4),),
     lambda x: np.moveaxis(x, (0, 1), (2, 0))),
    ("swapaxes", lambda x: functional.swapaxes(x, 0, -1), (array(2, 3, 4),), lambda x: np.swapaxes(x, 0, -1)),
    ("squeeze", functional.squeeze, (array(2, 1, 3),), np.squeeze),
    ("expand_dims", lambda x: functional.expand_dims(x, (0, 2)), (A,), lambda x: np.expand_dims(x, (0, 2))),
    ("broadcast_to", lambda x: functional.broadcast_to(x, (4, 2, 3)), (A,), lambda x: np.broadcast_to(x, (4, 2, 3))),
    ("concatenate", lambda x, y: functional.concatenate([x, y], 0), (A, B), lambda x, y: np.concatenate([x, y], 0)),
    ("stack", lambda x, y: functional.stack([x, y], -1), (A, B), lambda x, y: np.stack([x, y], -1)),
    ("split", lambda x: functional.split(x, [1], 1)[1], (A,), lambda x: np.split(x, [1], 1)[1]),
    ("split", lambda x: functional.split(x, 3, 1)[2], (A,), lambda x: np.split(x, 3, 1)[2]),
    ("pad", lambda x: functional.pad(x, ((1, 0), (2, 1)), constant=3.0), (A,),
     lambda x: np.pad(x, ((1, 0), (2, 1)), constant_values=3.0)),
    ("pad", lambda x: functional.pad(x, 2, "edge"), (A,), lambda x: np.pad(x, 2, "edge")),
    ("pad", lambda x: functional.pad(x, (1, 1), "reflect"), (A,), lambda x: np.pad(x, (1, 1), "reflect")),
    ("flip", lambda x: functional.flip(x, 1), (A,), lambda x: np.flip(x, 1)),
    ("roll", lambda x: functional.roll(x, 2, 1), (A,), lambda x: np.roll(x, 2, 1)),
    ("roll", lambda x: functional.roll(x, -1), (A,), lambda x: np.roll(x, -1)),
    ("roll", lambda x: functional.roll(x, (1, 2), (0, 1)), (A,), lambda x: np.roll(x, (1, 2), (0, 1))),
    ("repeat", lambda x: functional.repeat(x, 2, 1), (A,), lambda x: np.repeat(x, 2, 1)),
    ("repeat", lambda x: functional.repeat(x, [1, 0, 3], 1), (A,), lambda x: np.repeat(x, [1, 0, 3], 1)),
    ("repeat", lambda x: functional.repeat(x, 2), (A,), lambda x: np.repeat(x, 2)),
    ("tile", lambda x: functional.tile(x, (2, 1, 2)), (A,), lambda x: np.tile(x, (2, 1, 2))),
    ("take", lambda x: functional.take(x, [2, 0, 2], 1), (A,), lambda x: np.take(x, [2, 0, 2], 1)),
    ("take", lambda x: functional.take(x, [[1, -1], [0, 3]]), (A,), lambda x: np.take(x, [[1, -1], [0, 3]])),
    ("take", lambda x: functional.take(x, 1, 0), (A,), lambda x: np.take(x, 1, 0)),
    ("conv2d", lambda x, w, b: functional.conv2d(x, w, b, stride=(2, 1), padding=1, groups=1),
     (IMAGES, KERNELS, array(4)), None),
    ("conv2d", lambda x, w, b: functional.conv2d(x, w, b, padding=1, activation="relu"),
     (IMAGES, KERNELS, array(4)), None),
    ("conv2d", lambda x, w, b: functional.conv2d(x, w, b, padding=1, activation="tanh"),
     (IMAGES, KERNELS, array(4)), None),
    ("conv2d", lambda x, w: functional.conv2d(x, w, padding=1, activation="tanh"), (IMAGES, KERNELS), None),
    ("conv_transpose2d", lambda x, w, b: functional.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1),
     (array(1, 2, 3, 4), KERNELS, array(2)), None),
    ("max_pool2d", lambda x: functional.max_pool2d(x, 2, 1, 1), (IMAGES,), None),
    ("min_pool2d", lambda x: functional.min_pool2d(x, (2, 3)), (IMAGES,), None),
    ("avg_pool2d", lambda x: functional.avg_pool2d(x, 3, 1, 1), (IMAGES,), None),
    ("avg_pool2d", lambda x: functional.avg_pool2d(x, 2), (IMAGES[0],), None),
    ("avg_pool2d", lambda x: functional.avg_pool2d(x, 3, 2, ((2, 0), (0, 1)), ceil_mode=True), (IMAGES,), None),
    ("pool2d", lambda x: functional.pool2d("max", x, (2, 3), 2, "keep"), (IMAGES,), None),
    ("conv2d", lambda x, w: functional.conv2d(x, w, stride=2, padding=((0, 1), (2, 0))), (IMAGES, KERNELS), None),
    ("conv_transpose2d", lambda x, w: functional.conv_transpose2d(x, w, stride=2, padding="keep"),
     (array(1, 2, 3, 4), KERNELS), None),
    ("global_max_pool2d", functional.global_max_pool2d, (IMAGES,), lambda x: x.max((1, 2))),
    ("global_avg_pool2d", functional.global_avg_pool2d, (IMAGES,), lambda x: x.mean((1, 2))),
    ("upsample2d", lambda x: functional.upsample2d(x, (2, 3)), (IMAGES,), lambda x: np.kron(x, np.ones((1, 2, 3, 1)))),
    ("im2col", lambda x: functional.im2col(x, 2, padding=1), (IMAGES,), None),
    ("col2im", lambda c: functional.col2im(c, (2, 3, 3, 1), 2), (array(8, 4),), None),
    ("dropout", lambda x: functional.dropout(x, 0.4, rng=1), (A,), None),
    ("batch_norm", functional.batch_norm, (IMAGES, array(2, low=0.5), array(2)),
     lambda x, w, b: (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-5) * w + b),
    ("batch_norm", lambda x: functional.batch_norm(x, running_mean=V, running_var=V**2, training=False), (A,),
     lambda x: (x - V) / np.sqrt(V**2 + 1e-5)),
    ("layer_norm", functional.layer_norm, (A, array(3, low=0.5), V),
     lambda x, w, b: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * w + b),
    ("mse", losses.mse, (A, B), lambda p, t: np.mean((p - t) ** 2)),
    ("mae", losses.mae, (A, B), lambda p, t: np.mean(np.abs(p - t))),
    ("huber", lambda p, t: losses.huber(p, t, 0.6), (A, B), lambda p, t: np.mean(special.huber(0.6, p - t))),
    ("bce", losses.bce, (SOFT, softmax(B, -1)), lambda p, t: -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))),
    ("bce_with_logits", losses.bce_with_logits, (A, SOFT),
     lambda x, t: -np.mean(t * np.log(special.expit(x)) + (1 - t) * np.log(special.expit(-x)))),
    ("cross_entropy", lambda x: losses.cross_entropy(x, LABELS), (A,),
     lambda x: -np.mean(np.log(softmax(x, -1))[[0, 1], LABELS])),
    ("cross_entropy", losses.cross_entropy, (A, SOFT), lambda x, t: -np.mean((t * np.log(softmax(x, -1))).sum(-1))),
    ("cross_entropy",
     lambda x, w: losses.cross_entropy(x, LABELS, label_smoothing=0.1, class_weights=w), (A, array(3, low=0.5)), None),
]  # fmt: skip
NOT_DIFFERENTIABLE = {"argmax", "argmin", "any", "all", "register_activation", "register_pooling"}
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])


def test_every_function_has_a_row() -> None:
    public = {name for name, f in vars(functional).items() if callable(f) and f.__module__.startswith("tensorgrad")}
    public |= set(losses.__all__)
    private = {name for name in public if name.startswith("_")} | {"one_hot", "by_name", "Activation", "Pooling"}
    assert public - private - NOT_DIFFERENTIABLE == {row[0] for row in ROWS}


@every_row
def test_gradients(row: Row) -> None:
    _, f, inputs, _ = row
    gradcheck(f, *inputs, directions=3)


@every_row
def test_value_and_dtype(row: Row) -> None:
    """The value is NumPy's; float32 stays float32, in the value, in the gradients and in their gradients."""
    _, f, inputs, reference = row
    for dtype, tolerance in ((np.float32, 3e-5), (np.float64, 1e-10)):
        arrays = [x.astype(dtype) for x in inputs]
        tensors = [tg.tensor(x, requires_grad=True) for x in map(strided, arrays)]
        y = f(*tensors)
        if reference is not None:
            np.testing.assert_allclose(y.numpy(), reference(*arrays), rtol=tolerance, atol=tolerance)
        assert y.dtype == dtype
        first = tg.grad((y * y).sum(), tensors, create_graph=True)
        total: Any = sum((g * g).sum() for g in first)
        second = tg.grad(total, tensors, allow_unused=True) if total.requires_grad else first
        for g, x in zip((*first, *second), tensors * 2, strict=True):
            assert g.shape == x.shape
            assert g.dtype == dtype
        for x, before in zip(tensors, arrays, strict=True):
            np.testing.assert_array_equal(x.numpy(), before)


@every_row
def test_arrays_may_stand_for_constants(row: Row) -> None:
    """A function takes arrays where it takes tensors, with the same result."""
    _, f, inputs, _ = row
    y = f(*map(tg.Tensor, inputs))
    np.testing.assert_array_equal(np.asarray(tg.engine.value(f(*inputs))), y.numpy())


METHODS = [
    "abs", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "sign", "sin", "cos", "tan", "arcsin",
    "arccos", "arctan", "sinh", "cosh", "tanh", "erf", "sigmoid", "relu", "softmax", "log_softmax", "sum", "mean",
    "var", "std", "max", "min", "prod", "cumsum", "logsumexp", "norm", "sort", "squeeze", "flip", "transpose",
    "argmax", "argmin", "any", "all", "maximum", "minimum",
]  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_what_numpy_or_pytorch_has_as_a_method_is_one(name: str) -> None:
    x, y = tg.tensor(UNIT**2), tg.tensor(A)
    others = (y,) if name in ("maximum", "minimum") else ()
    ours, method = getattr(functional, name)(x, *others), getattr(x, name)(*others)
    np.testing.assert_array_equal(tg.engine.value(ours), tg.engine.value(method))


def test_methods_of_two_operands() -> None:
    x = tg.tensor(POSITIVE, requires_grad=True)
    for method, function in (
        (x.pow(2), tg.power(x, 2)), (x.pow(A), tg.power(x, A)), (x.matmul(M), tg.matmul(x, M)),
        (x.where(CHOICE, 0), tg.where(CHOICE, x, 0)), (x.maximum(0.5), tg.maximum(x, 0.5)),
    ):  # fmt: skip
        np.testing.assert_array_equal(method.numpy(), function.numpy())
        assert method.requires_grad
    for refused in (x.pow, x.matmul, x.maximum):
        with pytest.raises(TypeError, match="expected numbers, arrays or tensors; received Tensor and NoneType"):
            refused(None)


def test_numbers_of_numpy_are_ints() -> None:
    x: Any = tg.tensor(np.arange(24.0).reshape(2, 3, 4))
    two: Any = np.int64(2)
    np.testing.assert_array_equal(tg.sum(x, axis=np.array(two)), x.numpy().sum(2))
    np.testing.assert_array_equal(tg.split(x, two, axis=two)[1], np.split(x.numpy(), 2, 2)[1])
    np.testing.assert_array_equal(tg.tile(x, np.array([2, 1])), np.tile(x.numpy(), (2, 1)))
    np.testing.assert_array_equal(tg.roll(x, two, two), np.roll(x.numpy(), 2, 2))
    assert tg.max_pool2d(np.ones((4, 4, 1)), np.array(2)).shape == (2, 2, 1)


class Foreign:
    """An array of another library, whose dtype is not NumPy's."""

    dtype = "float32"

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __iter__(self) -> Iterator[Any]:
        return iter(self.array)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype)


class Table(Foreign):
    """A table, which gives the names of its columns one by one."""

    columns = (0, 1)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.columns)


@pytest.mark.parametrize("function", [tg.batch_norm, tg.layer_norm, tg.stack, tg.concatenate, tg.relu, tg.mean])
@pytest.mark.parametrize("kind", [Foreign, Table])
def test_arrays_of_other_libraries(function: Callable[[Any], Any], kind: type[Foreign]) -> None:
    array = np.array([[1.0, 2.0], [4.0, 3.0]], np.float32)
    np.testing.assert_array_equal(function(kind(array)), function(array))


def test_a_choice_inside_of_a_root_has_a_gradient_at_zero() -> None:
    """What the docstring of where advises."""
    x = Tensor(np.array([0.0, 4.0]), requires_grad=True)
    positive = x.numpy() > 0
    functional.where(positive, functional.sqrt(functional.where(positive, x, 1.0)), 0.0).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0.25])


RISING = {
    name: a.last_step for name, a in functional.ACTIVATIONS.items() if a.last_step is not None and a.last_step.rising
}


def test_the_activations_that_may_follow_max_pooling() -> None:
    """Every number's result is at most that of a larger one, to the bit."""
    x = np.sort(np.random.default_rng(0).standard_normal(100_000).astype(np.float32) ** 9)
    x = np.concatenate([[-np.inf], x, [np.inf]], dtype=np.float32)
    assert set(RISING) == {"relu", "leaky_relu"}
    for last_step in RISING.values():
        y = x.copy()
        last_step.in_place(y)
        assert (y[1:] >= y[:-1]).all()
