"""Every primitive and every public function: values, dtypes, gradients of order 1 and 2, in 3 for windows."""

from __future__ import annotations

import importlib
import pkgutil
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad import Tensor, ops
from tensorgrad.engine import Primitive, value
from tensorgrad.testing import gradcheck
from tests.ops.table import ROWS, Case, Row, strided

every_row = pytest.mark.parametrize("row", ROWS, ids=repr)
DTYPES = {np.float32: 2e-5, np.float64: 1e-12}


def test_every_primitive_has_a_row() -> None:
    modules = [importlib.import_module(f"tensorgrad.ops.{m.name}") for m in pkgutil.iter_modules(ops.__path__)]
    primitives = {p for module in (ops, *modules) for p in vars(module).values() if isinstance(p, Primitive)}
    rows = [row.primitive for row in ROWS]
    assert primitives == set(rows)
    assert len(rows) == len(set(rows))
    assert all(getattr(ops, p.name) is p for p in primitives), "tensorgrad.ops re-exports every primitive by its name"


def cast(case: Case, dtype: Any) -> tuple[list[Any], dict[str, Any]]:
    arrays, params = case
    params = {**params, "dtype": np.dtype(dtype)} if "dtype" in params else params
    return [x.astype(dtype) if x.dtype.kind == "f" else x for x in arrays], params


@every_row
@given(data=st.data())
def test_values_and_what_gradients_are_made_of(row: Row, data: st.DataObject) -> None:
    """Of arrays that may be empty. One draw serves all checks, as drawing takes longer than each of them."""
    case = data.draw(row.cases(0))
    for dtype, tolerance in DTYPES.items():
        arrays, params = cast(case, dtype)
        check_value(row, arrays, params, tolerance)
        check_memory_of_gradients(row, arrays, params)


@every_row
@given(data=st.data())
def test_gradients(row: Row, data: st.DataObject) -> None:
    """By the inputs and by the incoming gradient, in a random direction, order by order; and each rule by itself."""
    arrays, params = data.draw(row.cases(1))
    check_rules(row, arrays, params)
    gradcheck(named(row, params), *arrays, order=row.order, directions=1)


def check_value(row: Row, arrays: list[Any], params: dict[str, Any], tolerance: float) -> None:
    """The value is NumPy's; its dtype the inputs'; strides do not matter; inputs stay as they are."""
    dtype = next(x.dtype for x in arrays if x.dtype.kind == "f")
    kept = [x.copy() for x in arrays]
    y = row.primitive(*arrays, **params)
    assert y.dtype == dtype
    assert value(row.primitive(*map(Tensor, arrays), **params)).dtype == dtype
    spread_out = [strided(x) for x in arrays]
    np.testing.assert_allclose(row.primitive(*spread_out, **params), y, rtol=tolerance, atol=tolerance)
    for x, before in zip(arrays, kept, strict=True):
        np.testing.assert_array_equal(x, before)
    if row.reference is not None:
        expected = row.reference(*arrays, **params)
        assert y.shape == np.shape(expected)
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


def check_memory_of_gradients(row: Row, arrays: list[Any], params: dict[str, Any]) -> None:
    """Gradients have the inputs' dtype and shape, and memory of their own."""
    tensors = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in map(strided, arrays)]
    y = row.primitive(*tensors, **params)
    seed = np.ones(y.shape, y.dtype)
    before = [x.array.copy() for x in tensors]
    y.backward(seed, retain_graph=True)
    memory = [seed, np.asarray(y.array), *(x.array for x in tensors)]
    for x, old in zip(tensors, before, strict=True):
        np.testing.assert_array_equal(x.array, old)
        if not x.requires_grad:
            continue
        assert x.grad is not None
        assert x.grad.shape == x.shape
        assert x.grad.dtype == x.dtype
        assert isinstance(x.grad.array, np.ndarray)
        assert x.grad.array.flags.writeable
        assert not any(np.shares_memory(x.grad.array, m) for m in memory)
        memory.append(x.grad.array)
    np.testing.assert_array_equal(seed, 1)


def check_rules(row: Row, arrays: tuple[Any, ...], params: dict[str, Any]) -> None:
    """Each rule is linear in the incoming gradient (zero in, zero out), and does not compute in a wider dtype.

    The engine would make float32 of a float64 gradient: right, but slow. So the rules are asked by themselves.
    """
    y = row.primitive(*arrays, **params)
    g = np.cos(np.arange(y.size, dtype=float)).reshape(y.shape)
    narrow, narrow_params = cast((arrays, params), np.float32)
    narrow_y = row.primitive(*narrow, **narrow_params)
    for position, x in enumerate(arrays):
        rule, _ = row.primitive.rule(position)
        if x.dtype.kind != "f" or rule is None:
            continue
        assert not np.any(rule(0 * g, y, *arrays, **params))
        once, twice = (rule(k * g, y, *arrays, **params) for k in (1, 2))
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-12, atol=1e-12)
        assert rule(np.ones_like(narrow_y), narrow_y, *narrow, **narrow_params).dtype == np.float32
    if row.primitive.together is not None:  # the same gradients, all in one call
        products = row.primitive.together(g, y, *arrays, **params)
        for position, product in enumerate(products):
            rule, _ = row.primitive.rule(position)
            assert rule is not None
            np.testing.assert_allclose(product, rule(g, y, *arrays, **params), rtol=1e-12, atol=1e-12)


def named(row: Row, params: dict[str, Any]) -> Any:
    f = partial(row.primitive, **params)
    f.__name__ = row.primitive.name  # type: ignore[attr-defined]
    return f


# What failed once, and stays: (primitive, inputs, metadata).
FOUND: list[tuple[Primitive[...], tuple[Any, ...], dict[str, Any]]] = [
    (ops.pad, (np.array(2.0),), {"widths": (), "constant": 0.0}),  # NumPy refuses to pad an array of no axes
    (ops.log_softmax, (np.zeros((0,)),), {"axis": (0,)}),  # the logarithm of an empty sum
    (ops.softmax, (np.zeros((2, 0)),), {"axis": (1,)}),  # the largest of nothing
    (ops.logsumexp, (np.array([1e4, 1e4], np.float32),), {"axis": (0,), "keepdims": False}),  # e^(x - y), to 3 digits
    (ops.power, (np.array([0.5, 2.0]), np.array([0.0, 1.0])), {}),  # order 2 by both, where the exponent is 0
    (ops.sign, (np.array([-1.0, 2.0]),), {}),  # a rule of None: no gradient at all, where it should be zero
]


@pytest.mark.parametrize(("f", "inputs", "params"), FOUND, ids=lambda p: getattr(p, "name", ""))
def test_what_failed_once(f: Primitive[...], inputs: tuple[Any, ...], params: dict[str, Any]) -> None:
    gradcheck(partial(f, **params), *inputs, order=2)
    x, *others = (Tensor(x, requires_grad=True) for x in inputs)
    y = f(x, *others, **params)
    y.backward(np.ones(y.shape, y.dtype))
    assert x.grad is not None
    if f is ops.logsumexp:
        np.testing.assert_allclose(x.grad.numpy(), [0.5, 0.5], rtol=1e-6)
