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
def test_value(row: Row, data: st.DataObject) -> None:
    """The value is NumPy's; its dtype the inputs'; strides do not matter; inputs stay as they are."""
    case = data.draw(row.cases(0))
    for dtype, tolerance in DTYPES.items():
        arrays, params = cast(case, dtype)
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


@every_row
@given(data=st.data())
def test_gradients(row: Row, data: st.DataObject) -> None:
    """The gradients by the inputs and by the incoming gradient, in random directions, order by order."""
    arrays, params = data.draw(row.cases(1))
    gradcheck(named(row, params), *arrays, order=row.order, directions=1)


def named(row: Row, params: dict[str, Any]) -> Any:
    f = partial(row.primitive, **params)
    f.__name__ = row.primitive.name  # type: ignore[attr-defined]
    return f


@every_row
@given(data=st.data())
def test_gradients_have_the_inputs_dtype_shape_and_their_own_memory(row: Row, data: st.DataObject) -> None:
    case = data.draw(row.cases(0))
    for dtype in DTYPES:
        arrays, params = cast(case, dtype)
        tensors = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in map(strided, arrays)]
        y = row.primitive(*tensors, **params)
        seed = np.ones(y.shape, dtype)
        before = [x.array.copy() for x in tensors]
        y.backward(seed, retain_graph=True)
        memory = [seed, np.asarray(y.array), *(x.array for x in tensors)]
        for x, old in zip(tensors, before, strict=True):
            np.testing.assert_array_equal(x.array, old)
            if not x.requires_grad:
                continue
            assert x.grad is not None
            assert x.grad.shape == x.shape
            assert x.grad.dtype == dtype
            assert isinstance(x.grad.array, np.ndarray)
            assert x.grad.array.flags.writeable
            assert not any(np.shares_memory(x.grad.array, m) for m in memory)
            memory.append(x.grad.array)
        np.testing.assert_array_equal(seed, 1)


@every_row
@given(data=st.data())
def test_rules_do_not_compute_in_a_wider_dtype(row: Row, data: st.DataObject) -> None:
    """The engine would make float32 of a float64 gradient: right, but slow. So the rules are asked by themselves."""
    arrays, params = cast(data.draw(row.cases(1)), np.float32)
    y = row.primitive(*arrays, **params)
    for position in range(len(arrays)):
        if arrays[position].dtype.kind != "f":
            continue
        rule, _ = row.primitive.rule(position)
        if rule is not None:
            assert rule(np.ones_like(y), y, *arrays, **params).dtype == np.float32


@every_row
@given(data=st.data())
def test_gradient_is_linear_in_the_incoming_gradient(row: Row, data: st.DataObject) -> None:
    """Zero in, zero out; and twice as much in, twice as much out. A rule that forgets ``g`` fails here."""
    arrays, params = data.draw(row.cases(1))
    y = row.primitive(*arrays, **params)
    g = np.cos(np.arange(y.size, dtype=float)).reshape(y.shape)
    for position, x in enumerate(arrays):
        rule, _ = row.primitive.rule(position)
        if x.dtype.kind == "f" and rule is not None:
            assert not np.any(rule(0 * g, y, *arrays, **params))
            once, twice = (rule(k * g, y, *arrays, **params) for k in (1, 2))
            np.testing.assert_allclose(twice, 2 * once, rtol=1e-12, atol=1e-12)


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
