"""Tensor: operators on mixed operands, dtypes, indexing, NumPy's and Python's protocols, copies."""

from __future__ import annotations

import base64
import copy
import io
import operator
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tensorgrad as tg
from tensorgrad import Tensor, engine, no_grad

F32, F64 = np.dtype(np.float32), np.dtype(np.float64)
X = np.array([[0.5, 1.5, 2.5], [0.75, 1.25, 3.0]], np.float32)


def tensor(values: Any = X, dtype: Any = None) -> Any:  # NumPy's stubs refuse a Tensor
    return Tensor(values, dtype, requires_grad=True)


# -- operators: whatever stands on either side --------------------------------------------------------------------

OPERATORS: list[Callable[[Any, Any], Any]] = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, np.add, np.subtract, np.multiply,
    np.divide, np.power, np.maximum, np.minimum,
]  # fmt: skip
OTHERS = {
    "float": 2.0, "int": 2, "bool": True, "float32": np.float32(2), "float64": np.float64(2), "int64": np.int64(2),
    "uint8": np.uint8(2), "bool_": np.bool_(True), "0-d float64": np.array(2.0),
    "float16 array": np.float16([1, 2, 3]),
    "float32 array": np.float32([1, 2, 3]), "int array": np.array([1, 2, 3]),
    "bool array": np.array([True, True, True]),
    "list": [1.0, 2.0, 3.0], "nested list": [[1], [2]], "tuple": (1, 2, 3), "int tensor": Tensor(np.array([1, 2, 3])),
    "bool tensor": Tensor(np.array([True, True, True])), "float32 tensor": Tensor([1.0, 2.0, 3.0]),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: f"{type(op).__name__}-{op.__name__}")
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_operands_agree(op: Callable[[Any, Any], Any], other: str, dtype: Any) -> None:
    """On either side: NumPy's value, a Tensor with its graph, the tensor's dtype; the gradient has both too."""
    y = OTHERS[other]
    plain = np.asarray(engine.value(y), dtype)
    for forward in (True, False):
        x = tensor(X, dtype)
        z = op(x, y) if forward else op(y, x)
        assert type(z) is Tensor
        assert z.dtype == dtype
        expected = op(X.astype(dtype), plain) if forward else op(plain, X.astype(dtype))
        np.testing.assert_allclose(z.numpy(), expected, rtol=1e-6)
        z.sum().backward()
        assert x.grad is not None
        assert (x.grad.shape, x.grad.dtype) == (x.shape, dtype)


def test_float64_arrays_keep_their_dtype() -> None:
    assert (tensor() * np.ones(3)).dtype == F64
    assert (np.ones(3) * tensor()).dtype == F64


@pytest.mark.parametrize(
    ("make", "dtype"),
    [
        (lambda t: t + 1, np.int64), (lambda t: t + 1.5, F32), (lambda t: t / 2, F32), (lambda t: 2 / t, F32),
        (lambda t: t * True, np.int64), (lambda t: t.mean(), F32), (lambda t: t.std(), F32), (lambda t: t.sqrt(), F32),
        (lambda t: t.sum(), np.int64), (lambda t: t**2, np.int64), (lambda t: t**0.5, F32), (lambda t: t.exp(), F32),
        (lambda t: tg.softmax(t), F32), (lambda t: t.clip(0, 1), np.int64), (lambda t: t.clip(0.5, 1.5), F32),
        (lambda t: t @ np.ones(3, np.float32), F32), (lambda t: t @ [1, 2, 3], F32), (lambda t: t.norm(), F32),
        (lambda t: tg.where(t > 1, t, 0.5), F32), (lambda t: t.logsumexp(), F32), (lambda t: tg.maximum(t, 1.5), F32),
    ],
)  # fmt: skip
def test_integer_tensors(make: Callable[[Tensor], Tensor], dtype: Any) -> None:
    """Integers stay integers where that is exact, and become float32, not float64, where it is not."""
    assert make(Tensor(np.array([1, 2, 3]))).dtype == dtype


def test_booleans_are_counted() -> None:
    t = Tensor(np.array([True, True, False]))
    assert t.sum().item() == 2
    assert t.mean().item() == pytest.approx(2 / 3)
    assert t.cumsum().tolist() == [1, 2, 2]


def test_defaults_of_dtype() -> None:
    for data in (1, 1.0, True, [1, 2], [[1.5]], []):
        assert Tensor(data).dtype == (np.bool_ if data is True else F32)
    for array in (np.arange(3), np.arange(3.0), np.float64(3), np.array([1, 2], np.int8)):
        assert Tensor(array).dtype == array.dtype
    assert Tensor([1, 2], "int64").dtype == np.int64
    assert Tensor(1j).dtype == np.complex64


def test_float32_stays_through_scalars_of_all_kinds() -> None:
    t = tensor()
    y = (1 - t * 2.0) / np.float64(3) + np.float64(1) ** t + t.mean() * np.int64(2) - np.sqrt(2) * t.std()
    y = tg.where(X > 1, y, 0.0) * (X > 0.6) + (t > 1) * t
    assert y.dtype == F32
    (g,) = tg.grad(y.sum(), t, create_graph=True)
    assert g.dtype == F32
    assert tg.grad((g * g).sum(), t)[0].dtype == F32


def test_unknown_operands_are_refused() -> None:
    t = tensor()
    for other in ("text", None, object(), {1: 2}, np.str_("a")):
        for op in (operator.add, operator.mul, operator.matmul):
            with pytest.raises(TypeError):
                op(t, other)
            with pytest.raises(TypeError):
                op(other, t)
    with pytest.raises(TypeError, match="received str"):
        tg.maximum("text", t)


def test_other_classes_get_their_say() -> None:
    class Other:
        def __radd__(self, other: Any) -> str:
            return "theirs"

    assert tensor() + Other() == "theirs"


# -- comparison, and what has no gradient -----------------------------------------------------------------------


def test_comparisons_are_plain_arrays() -> None:
    t, other = tensor(), Tensor(np.full((2, 3), 1.5, np.float32))
    for op in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        for a, b in ((t, other), (t, 1.5), (1.5, t), (other.numpy(), t), (np.float32(1.5), t)):
            result = op(a, b)
            assert type(result) is np.ndarray
            np.testing.assert_array_equal(result, op(engine.value(a), engine.value(b)))


def test_answers_that_have_no_gradient_are_plain_arrays() -> None:
    t = tensor()
    assert t.argmax() == 5
    assert t.argmin(0).tolist() == [0, 1, 0]
    assert t.argsort(1).tolist() == [[0, 1, 2], [0, 1, 2]]
    assert t.any()
    assert not t.all() == False  # noqa: E712, SIM201
    assert type(np.isfinite(t)) is np.ndarray
    assert np.argmax(t) == 5


# -- indexing ---------------------------------------------------------------------------------------------------

INDICES = hnp.basic_indices((2, 3, 4), allow_newaxis=True, allow_ellipsis=True) | hnp.integer_array_indices((2, 3, 4))


@given(index=INDICES | hnp.arrays(bool, (2, 3)) | hnp.arrays(bool, (2, 3, 4)))
def test_indexing_is_numpys_and_its_gradient_counts(index: Any) -> None:
    """The value is NumPy's, and the gradient says how often each element was taken."""
    x = tensor(np.arange(24.0).reshape(2, 3, 4))
    expected = x.numpy()[index]
    y = x[index]
    np.testing.assert_array_equal(y.numpy(), expected)
    y.sum().backward()
    assert x.grad is not None
    counts = np.zeros(24)
    np.add.at(counts, np.ravel(expected).astype(int), 1)
    np.testing.assert_array_equal(x.grad.numpy().ravel(), counts)


@pytest.mark.parametrize(
    "index",
    [
        [0, 0, 1], [True, False], [[0, 1], [1, 1]], [], Tensor(np.array([1, 0])), np.int64(1), np.array(1), True, None,
        (None, ..., 0), (slice(None), [0, 2, 2]), Tensor(np.array([[True, False, True]] * 2)),
        ([0, 1], [1, 1]), (..., None),
        (np.array([0, 1]), slice(None, None, -1)), Tensor(np.array(1)),
    ],
    ids=str,
)  # fmt: skip
def test_indices_of_all_kinds(index: Any) -> None:
    x = tensor(X)
    plain = tuple(map(engine.value, index)) if isinstance(index, tuple) else engine.value(index)
    y = x[index]
    np.testing.assert_array_equal(
        y.numpy(), X[plain if not (isinstance(plain, list) and not plain) else np.zeros(0, int)]
    )
    y.sum().backward()


def test_slices_are_views_and_iteration_keeps_the_graph() -> None:
    x = tensor()
    assert np.shares_memory(x[0].array, x.array)
    rows = list(x)
    assert [type(r) for r in rows] == [Tensor, Tensor]
    a, b = x
    (a * 2 + b * 3).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[2, 2, 2], [3, 3, 3]]


# -- choices at kinks and ties, each documented ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "at", "gradient"),
    [
        (lambda x: x.relu(), [0.0], [0]),
        (lambda x: x.abs(), [0.0, -0.0], [0, 0]),
        (lambda x: x.max(), [2.0, 2.0, 1.0], [0.5, 0.5, 0]),
        (lambda x: x.min(), [1.0, 1.0, 1.0, 4.0], [1 / 3, 1 / 3, 1 / 3, 0]),
        (lambda x: tg.maximum(x, 2.0), [2.0], [0.5]),
        (lambda x: tg.minimum(2.0, x), [2.0], [0.5]),
        (lambda x: x.clip(0.0, 1.0), [0.0, 1.0, 1.5, -0.1], [1, 1, 0, 0]),
        (lambda x: tg.leaky_relu(x, 0.1), [0.0], [0.1]),
        (lambda x: tg.elu(x, 2.0), [0.0], [2.0]),
        (lambda x: x.norm(), [0.0, 0.0], [0, 0]),
        (lambda x: x.norm(3), [0.0, 0.0], [0, 0]),
        (lambda x: x.norm(1), [0.0, -3.0], [0, -1]),
        (lambda x: x.std(), [2.0, 2.0], [0, 0]),
        (lambda x: x.prod(), [0.0, 3.0, 2.0], [6, 0, 0]),
        (lambda x: x.prod(), [0.0, 0.0, 2.0], [0, 0, 0]),
        (lambda x: x**2, [0.0], [0]),
        (lambda x: x**1, [0.0], [1]),
        (lambda x: x**0, [0.0], [0]),
        (lambda x: x ** Tensor([0.0, 1.0, 2.0]), [0.0, 0.0, 0.0], [0, 1, 0]),
        (lambda x: Tensor([0.0, -1.0]) ** x, [2.0, 2.0], [0, 0]),
        (lambda x: tg.max_pool2d(x.reshape(1, 2, 2, 1), 2), [1.0, 1.0, 1.0, 1.0], [1, 0, 0, 0]),
        (lambda x: tg.min_pool2d(x.reshape(1, 2, 2, 1), 2), [3.0, 1.0, 2.0, 1.0], [0, 1, 0, 0]),
        (lambda x: x.sort(), [1.0, 1.0], [1, 1]),
        (lambda x: tg.huber(x, [0.0, 0.0], 1.0, reduction="sum"), [1.0, -1.0], [1, -1]),
        (lambda x: tg.mae(x, [0.0], reduction="sum"), [0.0], [0]),
    ],
)  # fmt: skip
def test_choices_at_kinks_and_ties(f: Callable[[Tensor], Tensor], at: list[float], gradient: list[float]) -> None:
    x = Tensor(at, requires_grad=True)
    with np.errstate(all="raise"):
        f(x).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), gradient, rtol=1e-6)


@pytest.mark.parametrize("f", [tg.relu, tg.leaky_relu, tg.elu])
def test_an_infinite_gradient_passes_where_the_slope_is_one(f: Callable[[Tensor], Tensor]) -> None:
    x = Tensor([2.0, -1e5], requires_grad=True)
    f(x).backward([np.inf, 0.0])
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [np.inf, 0])


@pytest.mark.parametrize(
    ("f", "at", "value", "gradient"),
    [
        (tg.sigmoid, 1e4, 1, 0), (tg.sigmoid, -1e4, 0, 0), (tg.softplus, 1e4, 1e4, 1), (tg.softplus, -1e4, 0, 0),
        (tg.tanh, 1e4, 1, 0), (tg.elu, -1e4, -1, 0), (tg.swish, 1e4, 1e4, 1), (tg.gelu, -1e4, 0, 0),
        (lambda x: tg.logsumexp(tg.stack([x, x])), 1e4, 1e4 + np.log(2), 1),
        (lambda x: tg.softmax(tg.stack([x, x * 0]))[0], 1e4, 1, 0),
        (lambda x: tg.log_softmax(tg.stack([x, x * 0]))[1], 1e4, -1e4, -1),
        (lambda x: tg.cross_entropy(tg.stack([x, x * 0])[None], [1]), 1e4, 1e4, 1),
        (lambda x: tg.bce_with_logits(x, 0.0), 1e4, 1e4, 1),
    ],
)  # fmt: skip
def test_no_overflow(f: Callable[[Tensor], Tensor], at: float, value: float, gradient: float) -> None:
    x = Tensor(at, requires_grad=True)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y = f(x)
        y.backward()
    assert y.item() == pytest.approx(value, rel=1e-6)
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(gradient, abs=1e-6)


# -- NumPy's protocols ---------------------------------------------------------------------------------------------

NUMPY = [
    (np.exp, ()), (np.log, ()), (np.tanh, ()), (np.square, ()), (np.abs, ()), (np.negative, ()), (np.positive, ()),
    (np.sum, ()), (np.sum, (1,)), (np.mean, ()), (np.var, (0,)), (np.std, ()), (np.max, (0,)), (np.amin, ()),
    (np.prod, ()), (np.cumsum, (1,)), (np.sort, ()), (np.reshape, ((3, 2),)), (np.transpose, ()),
    (np.moveaxis, (0, 1)), (np.swapaxes, (0, 1)), (np.expand_dims, (0,)), (np.broadcast_to, ((4, 2, 3),)),
    (np.flip, (1,)), (np.roll, (1,)), (np.roll, (1, 0)), (np.repeat, (2,)), (np.repeat, (2, 0)), (np.tile, ((2, 1),)),
    (np.take, ([0, 5],)), (np.take, ([1, 1], 1)), (np.clip, (1.0, 2.0)), (np.dot, (np.ones((3, 2), np.float32),)),
    (np.outer, ([1.0, 2.0],)), (np.tensordot, (np.ones((2, 3), np.float32),)), (np.matmul, (np.ones(3, np.float32),)),
    (np.squeeze, ()), (np.pad, (1,)), (np.pad, (1, "edge")),
]  # fmt: skip


def test_matrices_are_transposed() -> None:
    x = Tensor(X.reshape(1, *X.shape))
    assert np.array_equal(x.mT.array, np.swapaxes(x.array, -2, -1))


@pytest.mark.parametrize(("f", "args"), NUMPY, ids=lambda p: getattr(p, "__name__", ""))
def test_numpy_functions_keep_the_graph(f: Callable[..., Any], args: tuple[Any, ...]) -> None:
    x = tensor()
    y = f(x, *args)
    assert type(y) is Tensor
    assert y.requires_grad
    assert y.dtype == F32
    np.testing.assert_allclose(y.numpy(), f(X, *args), rtol=1e-6)


def test_numpy_functions_with_names_and_lists() -> None:
    x = tensor()
    for y, expected in (
        (np.sum(x, axis=0, keepdims=True), X.sum(0, keepdims=True)),
        (np.sum(a=x), X.sum()),
        (np.clip(x, a_min=1.0, a_max=None), np.clip(X, 1.0, None)),
        (np.concatenate([x, X]), np.concatenate([X, X])),
        (np.concatenate((X, x), axis=1), np.concatenate((X, X), axis=1)),
        (np.stack([x, x]), np.stack([X, X])),
        (np.where(X > 1, x, 0.0), np.where(X > 1, X, 0)),
        (np.einsum("ij,kj->ik", x, X), np.einsum("ij,kj->ik", X, X)),
        (np.split(x, 3, axis=1)[1], X[:, 1:2]),
        (np.pad(x, 1, constant_values=2.0), np.pad(X, 1, constant_values=2)),
        (np.var(x, axis=0, ddof=1), np.var(X, axis=0, ddof=1)),
    ):
        assert y.requires_grad
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.add.reduce(t), lambda t: np.add.outer(t, t), lambda t: np.exp(t, out=np.zeros((2, 3), np.float32)),
        lambda t: np.exp(t, where=X > 1), lambda t: np.exp(t, dtype=np.float64), lambda t: np.arctan2(t, t),
        lambda t: np.median(t), lambda t: np.linalg.norm(t), lambda t: np.fft.fft(t),
        lambda t: np.sum(t, 0, np.float64),
        lambda t: np.max(t, initial=0), lambda t: np.sum(t, dtype=np.float64), lambda t: np.var(t, 0, None),
        lambda t: np.copyto(np.zeros((2, 3)), t), lambda t: np.add(X, t, out=X.copy()), lambda t: X.copy().__iadd__(t),
        lambda t: np.fmod(t, 2), lambda t: np.modf(t), lambda t: np.cross(t, t), lambda t: np.linspace(t, t),
        lambda t: np.apply_along_axis(np.sum, 0, t), lambda t: np.insert(X, 0, t),
        lambda t: np.einsum("ij->i", t, optimize=True),
    ],
)  # fmt: skip
def test_numpy_functions_that_would_lose_the_graph_say_so(call: Callable[[Tensor], Any]) -> None:
    with pytest.raises(TypeError, match=r"np\.|Tensor"):
        call(tensor())


def test_the_refused_function_is_named_as_it_was_called() -> None:
    with pytest.raises(TypeError, match=r"^np\.linalg\.norm would lose"):
        np.linalg.norm(tensor())
    with pytest.raises(TypeError, match=r"^np\.median would lose"):
        np.median(tensor())


def test_every_numpy_function_keeps_the_graph_or_raises() -> None:
    """All of NumPy's functions of one array, and all ufuncs of one and two: none gives a plain float array."""
    kept: set[str] = set()
    plain: set[str] = set()
    for name in sorted(dir(np)):
        f = getattr(np, name)
        count = f.nin if isinstance(f, np.ufunc) else 1
        if not isinstance(f, np.ufunc) and not hasattr(f, "_implementation"):
            continue  # not dispatched: it makes arrays of its arguments, and says so (asarray, array, ...)
        try:
            with np.errstate(all="ignore"):
                result = f(*[tensor()] * count)
        except (TypeError, ValueError, IndexError):
            continue
        (kept if isinstance(result, Tensor | list) else plain).add(name)
        if not isinstance(result, Tensor | list):
            assert not (isinstance(result, np.ndarray) and result.dtype.kind in "fc") or name in {
                "ceil", "floor", "rint", "trunc", "floor_divide", "round", "around", "zeros_like", "ones_like",
                "empty_like",
            }, name  # fmt: skip
    assert len(kept) > 50
    assert {"add", "sum", "transpose"} <= kept


def test_array_conversion_and_its_copies() -> None:
    t = Tensor(X)
    view = np.asarray(t)
    assert np.shares_memory(view, t.array)
    assert not view.flags.writeable
    assert np.array(t, copy=False).base is not None
    assert not np.shares_memory(np.array(t), t.array)
    assert np.array(t).flags.writeable
    assert np.asarray(t, np.float64).dtype == F64
    with pytest.raises(ValueError, match="without a copy"):
        np.array(t, np.float64, copy=False)
    with pytest.raises(ValueError, match="read-only"):
        t.numpy()[0, 0] = 1


def test_writing_into_plain_arrays() -> None:
    a, constant = X.copy(), tensor().detach()
    a += constant
    a[0] = Tensor(X[1])
    np.testing.assert_array_equal(a[1], 2 * X[1])
    np.testing.assert_array_equal(a[0], X[1])


def test_dlpack_shares_memory() -> None:
    t = Tensor(X)
    shared = np.from_dlpack(t)
    assert np.shares_memory(shared, t.array)
    assert t.__dlpack_device__() == (1, 0)
    with pytest.raises(TypeError, match=r"requires a gradient.*detach\(\)"):
        np.from_dlpack(tensor())
    with no_grad():
        np.from_dlpack(tensor())


# -- Python's protocols --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda t: t // 2, lambda t: 2 // t, lambda t: t // t[0], lambda t: t % 2, lambda t: 7 % t,
        lambda t: divmod(t, 0.75), lambda t: divmod(3, t), lambda t: t < 2, lambda t: t <= 2,
    ],
)  # fmt: skip
def test_operators_give_what_numpy_gives(f: Callable[[Any], Any]) -> None:
    def values(result: Any) -> list[Any]:
        return [np.asarray(each) for each in (result if isinstance(result, tuple) else (result,))]

    np.testing.assert_array_equal(values(f(Tensor(X + 3))), values(f(X + 3)))


def test_bits_and_masks() -> None:
    a, b = np.array([True, True, False]), np.array([True, False, False])
    for f in (operator.and_, operator.or_, operator.xor):
        for x, y in ((Tensor(a), Tensor(b)), (Tensor(a), b), (a, Tensor(b))):
            np.testing.assert_array_equal(f(x, y), f(a, b))
    np.testing.assert_array_equal(~Tensor(a), ~a)
    np.testing.assert_array_equal(Tensor(np.array([5, 6])) & 4, [4, 4])
    with pytest.raises(TypeError, match="bitwise_and"):
        tensor() & 1


def test_rounding() -> None:
    assert round(Tensor(2.5)) == 2
    assert isinstance(round(Tensor(2.5)), int)
    assert round(Tensor(np.array(1.234)), 1) == 1.2
    np.testing.assert_array_equal(round(Tensor([1.5, 2.46]), 1), np.array([1.5, 2.5], np.float32))


def test_conversions() -> None:
    t = Tensor([[2.5]])
    assert (float(t), int(t), complex(t), bool(t), t.item(), t.tolist()) == (2.5, 2, 2.5 + 0j, True, 2.5, [[2.5]])
    assert f"{t:.2f} {t}" == "2.50 Tensor([[2.5]], dtype=float32)"
    assert [10, 20, 30][Tensor(np.array(1))] == 20
    assert len(tensor()) == 2
    assert 1.5 in tensor()
    assert 7 not in tensor()
    assert len({tensor(), tensor()}) == 2
    for f in (float, int, bool):
        with pytest.raises(ValueError, match=r"\(2, 3\)"):
            f(tensor())
    for bad in (len, iter):
        with pytest.raises(TypeError, match="no axes"):
            list(bad(Tensor(1.0)))
    with pytest.raises(TypeError, match="integer tensor of no axes"):
        [1, 2][Tensor(1.0)]


def test_repr() -> None:
    assert repr(Tensor([1.0, 2.0])) == "Tensor([1., 2.], dtype=float32)"
    assert repr(tensor([1.0])) == "Tensor([1.], dtype=float32, requires_grad=True)"
    assert repr(tensor([1.0]) * 2) == "Tensor([2.], dtype=float32, op=mul)"
    assert repr(Tensor(np.array(3))) == "Tensor(3, dtype=int64)"
    assert "..." in repr(Tensor(np.zeros(5000)))
    assert repr(Tensor([[1.0], [2.0]])) == "Tensor([[1.],\n        [2.]], dtype=float32)"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_are_leaves(copied: Callable[[Tensor], Tensor]) -> None:
    x = tensor()
    (x * x).sum().backward()
    y = x * 2
    for t in (x, y, Tensor(X), Tensor(np.arange(3)), y.sum(), x.T):
        c = copied(t)
        assert (c.requires_grad, c.dtype, c.is_leaf) == (t.requires_grad, t.dtype, True)
        np.testing.assert_array_equal(c.numpy(), t.numpy())
        assert not np.shares_memory(c.numpy(), t.numpy())
        assert (c.grad is None) == (t.grad is None)
        if t.grad is not None and c.grad is not None:
            np.testing.assert_array_equal(c.grad.numpy(), t.grad.numpy())
            assert not np.shares_memory(c.grad.numpy(), t.grad.numpy())


def test_copying_a_long_graph_copies_one_tensor() -> None:
    y = tensor()
    for _ in range(5000):
        y = y * 1.0
    assert len(pickle.dumps(y)) < 1000
    assert copy.deepcopy(y).is_leaf


def test_copy_keeps_the_graph_and_detach_leaves_it() -> None:
    x = tensor()
    assert x.copy().requires_grad
    assert not np.shares_memory(x.copy().array, x.array)
    assert not x.detach().requires_grad
    assert np.shares_memory(x.detach().array, x.array)
    assert x.sum().detach().item() == x.sum().item()


# -- data -----------------------------------------------------------------------------------------------------------


def test_data_is_written_in_place() -> None:
    t = Tensor(X)
    held = t.data
    t.data = X * 2
    np.testing.assert_array_equal(held, X * 2)
    t.data += 1
    np.testing.assert_array_equal(t.numpy(), X * 2 + 1)
    t.data = np.zeros((2, 3))
    assert t.dtype == F32
    wide = Tensor([1.0]).broadcast_to((2, 3))
    wide.data = X
    np.testing.assert_array_equal(wide.numpy(), X)
    scalar = Tensor([1.0, 2.0]).sum()
    scalar.data += 1
    assert scalar.item() == 4
    with pytest.raises(ValueError, match=r"expected values of shape \(2, 3\)"):
        t.data = [1.0]


def test_in_place_operators() -> None:
    x = tensor()
    with no_grad():
        same = x
        x += 1
        x *= 2
        x -= 1
        x /= 2
        x **= 2
    assert x is same
    np.testing.assert_allclose(x.numpy(), (X + 0.5) ** 2, rtol=1e-6)
    assert x.requires_grad
    for op in (operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ipow, operator.imatmul):
        with pytest.raises(RuntimeError, match=r"no_grad\(\): t \+= .*u = t \+"):
            op(x, 2)
    y = x * 1
    y += 1  # a result: a new tensor
    assert y.requires_grad
    c = Tensor(X)
    d = c
    c += 1
    np.testing.assert_array_equal(d.numpy(), X)


def test_wrapped_data_is_copied() -> None:
    a = X.copy()
    t = Tensor(a)
    a[:] = 0
    np.testing.assert_array_equal(t.numpy(), X)
    u = Tensor(t)
    assert not np.shares_memory(u.array, t.array)


def test_requires_grad() -> None:
    t = Tensor(X)
    t.requires_grad = True
    y = t * 2
    t.requires_grad = False
    assert not (t * 2).requires_grad
    with pytest.raises(RuntimeError, match="detach"):
        y.requires_grad = False


# -- shapes of matmul, against NumPy ---------------------------------------------------------------------------------


@given(st.data())
def test_matmul_of_all_shapes(data: st.DataObject) -> None:
    shapes = data.draw(
        hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=3, min_side=0, max_side=3)
    )
    a, b = (np.random.default_rng(0).standard_normal(s) for s in shapes.input_shapes)
    x, y = tensor(a), tensor(b)
    for z in (x @ y, a @ y, x @ b, np.matmul(a, y), tg.matmul(a, b)):
        assert z.shape == shapes.result_shape
        np.testing.assert_allclose(z.numpy(), a @ b, atol=1e-12)
    g = np.random.default_rng(1).standard_normal(shapes.result_shape)
    (x @ y).backward(g)
    assert x.grad is not None
    assert y.grad is not None
    # <x @ y, g> is linear in x and in y
    np.testing.assert_allclose((x.grad.numpy() * a).sum(), ((a @ b) * g).sum(), atol=1e-10)
    np.testing.assert_allclose((y.grad.numpy() * b).sum(), ((a @ b) * g).sum(), atol=1e-10)


PICTURES: dict[str, tuple[Any, Any]] = {
    "bytes": (np.arange(12, dtype=np.uint8).reshape(3, 4), np.arange(12).reshape(3, 4)),
    "stretched": (np.float32([[-1, 0], [1, -1]]), [[0, 128], [255, 0]]),
    "the same everywhere": (np.full((2, 2), 7.0), [[0, 0], [0, 0]]),
    "one channel": (np.arange(6, dtype=np.uint8).reshape(2, 3, 1), np.arange(6).reshape(2, 3)),
    "colour": (np.arange(18, dtype=np.uint8).reshape(2, 3, 3), np.arange(18).reshape(2, 3, 3)),
    "a batch": (
        np.arange(1, 4, dtype=np.uint8).reshape(3, 1, 1, 1), [[1, 255, 2], [255, 255, 255], [3, 255, 255]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_a_tensor_holds_its_values(name: str) -> None:
    from PIL import Image

    values, expected = PICTURES[name]
    picture = tg.tensor(values).picture()
    with Image.open(io.BytesIO(picture.png)) as opened:
        np.testing.assert_array_equal(np.asarray(opened), expected)
    assert (picture.height, picture.width) == np.shape(expected)[:2]
    html = picture._repr_html_()
    assert re.match(r'<img alt="Picture\(\d+x\d+ pixels\)" style="image-rendering: pixelated" width="', html)
    assert base64.b64encode(picture.png).decode() in html
    assert repr(picture) == f"Picture({picture.width}x{picture.height} pixels)"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((2, 3, 4)), r"received shape \(2, 3, 4\); choose what to show, such as one channel: t\[\.\.\., 0\]"),
        (np.zeros(3), "expected an image"),
        (np.zeros((0, 3)), "expected an image"),
        (np.zeros((2000, 2000), np.uint8), "1 to 1048576 numbers"),
        (np.array([[np.nan]]), "expected finite numbers, received NaN or infinity"),
    ],
)
def test_what_is_no_picture(values: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"picture: .*{message}"):
        tg.tensor(values).picture()
