"""tensorgrad.testing finds what is wrong, passes what is right, and draws what it says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor
from tensorgrad.functional import ACTIVATIONS, POOLINGS
from tensorgrad.losses import LOSSES
from tensorgrad.optim import OPTIMIZERS
from tensorgrad.testing import GradientError, gradcheck, strategies
from tensorgrad.training.metrics import METRICS


def primitive(forward: Callable[..., Any], *rules: Any) -> Any:
    forward.__name__ = "mine"
    made = tg.primitive(forward)
    made.rules(*rules)
    return made


def square(rule: Any) -> Any:
    return primitive(lambda x: x * x, rule)


WRONG: dict[str, tuple[Any, str]] = {
    "sign": (square(lambda g, y, x: -2 * g * x), "order 1, by input 0, element .* according to complex step"),
    "factor": (square(lambda g, y, x: 2.0001 * g * x), "order 1, by input 0"),
    "ignores g": (square(lambda g, y, x: 2 * x), "order 1, by input 0"),
    "not recorded": (square(lambda g, y, x: g * 2 * tg.engine.value(x)), "order 2, by input 0, element"),
    "forgets a path": (lambda x: x * x.detach(), "order 1, by input 0"),
    "one element": (square(lambda g, y, x: 2 * g * x * (np.arange(3) < 2) + g * x * (np.arange(3) == 2)),
                    r"order 1, by input 0, element \(2,\)"),
    "abs as constant": (primitive(lambda x: np.abs(x), None),
                        "order 1, by input 0, .* according to central differences"),
    "abs in a product": (primitive(lambda x: np.abs(x) * x, lambda g, y, x: g * tg.abs(x) if isinstance(x, Tensor)
                                   else g * np.abs(x)), "order 1, by input 0, .* according to central differences"),
    "round": (primitive(lambda x: x * np.exp(x.real), lambda g, y, x: g * np.exp(tg.engine.value(x))),
              "order 1, by input 0, .* according to central differences"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_found(name: str) -> None:
    f, text = WRONG[name]
    with pytest.raises(GradientError, match=text):
        gradcheck(f, np.array([0.5, -1.5, 2.0]))


def test_one_element_of_many_is_found() -> None:
    x = np.linspace(1.0, 2.0, 5000)
    wrong = square(lambda g, y, x: 2 * g * x * (1 + (np.arange(5000) == 4321)))
    with pytest.raises(GradientError, match=r"order 1, by input 0, element \(4321,\): the gradient is 7.4"):
        gradcheck(wrong, x)


def test_the_element_that_is_nan_is_named() -> None:
    wrong = square(lambda g, y, x: 2 * g * x * np.where(np.arange(3) == 1, np.nan, 1.0))
    with pytest.raises(GradientError, match=r"order 1, by input 0, element \(1,\): the gradient is nan according"):
        gradcheck(wrong, np.array([0.5, -1.5, 2.0]))


def test_the_message_is_plain() -> None:
    with pytest.raises(GradientError) as caught:
        gradcheck(lambda x, y: x * y.detach() + y, [1.0, 2.0], [3.0, 5.0])
    assert str(caught.value) == (
        "<lambda>, order 1, by input 1, element (1,): the gradient is 1 according to the rules, and 3 according to "
        "complex step"
    )


RIGHT: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "exp": (tg.exp, ([1.0, 2.0],)),
    "constant": (lambda x: x * 0 + 3, ([1.0],)),
    "no dependence": (lambda x: Tensor(np.ones(2)), ([1.0],)),
    "0-d": (lambda x: x**2, (2.0,)),
    "real part": (tg.abs, ([1.0, -2.0],)),
    "integers are handed on": (lambda x, i: x[i] * 2, ([1.0, 2.0, 3.0], np.array([0, 0, 2]))),
    "booleans too": (lambda m, x: tg.where(m, x, x * x), (np.array([True, False]), [1.0, 2.0])),
    "refuses complex numbers": (primitive(lambda x: np.floor(x) * 0 + x, lambda g, y, x: g), ([1.5, 2.5],)),
    "empty": (tg.exp, (np.zeros((0, 2)),)),
    "tensors": (lambda x: x @ x.T, (Tensor([[1.0, 2.0]]),)),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name: str) -> None:
    f, inputs = RIGHT[name]
    gradcheck(f, *inputs, order=3)


def test_methods_and_bad_calls() -> None:
    gradcheck(tg.exp, [1.0], method="complex", tolerance=1e-12)
    gradcheck(tg.exp, [1.0], method="difference")
    with pytest.raises(GradientError):  # central differences are not that exact
        gradcheck(tg.exp, [1.0], method="difference", tolerance=1e-16)
    with pytest.raises(GradientError):  # what the complex step cannot say, it does not
        gradcheck(tg.abs, [1.0], method="complex")
    for call, kind, text in (
        (lambda: gradcheck(tg.exp, [1.0], order=0), ValueError, "order must be at least 1, received 0"),
        (lambda: gradcheck(tg.exp, [1.0], method="magic"), ValueError, "unknown method 'magic'"),
        (lambda: gradcheck(tg.exp, np.array([1])), ValueError, "exp has no floating input"),
        (lambda: gradcheck(float, [1.0]), TypeError, "must return a floating Tensor; it returned 1.0"),
        (lambda: gradcheck(lambda x: x.astype(int), [1.0]), TypeError, "must return a floating Tensor"),
    ):
        with pytest.raises(kind, match=text):
            call()


def test_inputs_are_not_changed_and_nothing_is_left() -> None:
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    gradcheck(tg.log, x)
    assert x.grad is None
    assert x.dtype == np.float32


@given(strategies.distinct(strategies.shapes(min_side=0)), st.data())
def test_distinct_values(x: Any, data: st.DataObject) -> None:
    values = np.sort(np.append(x.ravel(), 0.0))
    assert (np.diff(values) >= 0.024).all()
    y = data.draw(strategies.arrays(x.shape, low=1, high=2, dtype=np.float32))
    assert (y.shape, y.dtype) == (x.shape, np.dtype(np.float32))
    assert ((y >= 1) & (y <= 2)).all()


@given(strategies.broadcastable_shapes(3))
def test_broadcastable_shapes(shapes: Any) -> None:
    assert len(shapes) == 3
    np.broadcast_shapes(*shapes)


@given(strategies.convolutions(dtype=np.float32), strategies.poolings())
def test_problems_have_an_output(convolution: Any, pooling: Any) -> None:
    y = tg.conv2d(convolution.x, convolution.w, convolution.b, **convolution.options)
    assert y.size
    assert y.dtype == np.float32
    assert tg.max_pool2d(pooling.x, **pooling.options).size
    assert "Convolution(x=(" in repr(convolution)
    assert "Pooling(x=(" in repr(pooling)


def test_hypothesis_is_imported_by_the_strategies_only() -> None:
    code = (
        "import sys, tensorgrad.testing; assert 'hypothesis' not in sys.modules; import tensorgrad.testing.strategies"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


MODULES = [m.name for m in pkgutil.walk_packages(tg.__path__, "tensorgrad.")]


@pytest.mark.parametrize("name", ["tensorgrad", *MODULES])
def test_examples_in_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    registries: tuple[dict[str, Any], ...] = (ACTIVATIONS, POOLINGS, LOSSES, METRICS, OPTIMIZERS)
    before = [dict(registry) for registry in registries]
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    for registry, names in zip(registries, before, strict=True):  # what an example has registered is known to no test
        registry.clear()
        registry.update(names)
    assert found.failed == 0


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Print how much is tested; and keep the suite from shrinking unseen."""
    from tests.functional import test_functional
    from tests.ops.table import ROWS

    text = "".join(path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py"))
    properties = len(re.findall(r"^@given", text, re.MULTILINE))
    orders = {n: sum(row.order >= n for row in ROWS) for n in (2, 3)}
    with capsys.disabled():
        print(
            f"\n{len(ROWS)} primitives, each with a row (to order 2: {orders[2]}, to order 3: {orders[3]}), "
            f"{len(test_functional.ROWS)} rows of public functions, {properties} property tests"
        )
    assert len(ROWS) >= 70
    assert len(test_functional.ROWS) >= 120
    assert properties >= 60


def test_a_zero_of_third_order_is_no_false_alarm() -> None:
    x = np.array([0.0, 0.0, 0.0, 2.0, -1.9, 1.8, 1.9, 2.0, 1.9, -1.8, 2.0, 1.9, 1.8, 2.0, 2.0])
    for method in ("auto", "difference"):
        gradcheck(lambda t: t.prod(), x, order=2, method=method)


@pytest.mark.parametrize("x", [1e-12, 1e-8, 1e-4, 1.0, 1e5, 1e10])
def test_the_step_has_the_size_of_the_input(x: float) -> None:
    for f in (tg.log, tg.sqrt, lambda q: 1 / q, lambda q: q**2, tg.abs):
        gradcheck(f, [x], order=2)
    for f in (tg.log, tg.sqrt, lambda q: q**2):
        gradcheck(f, [x, 1.0])
    if x > 1e-6:
        with pytest.raises(GradientError, match=r"by input 0, element \(0,\): the gradient is .* and .* complex step"):
            gradcheck(square(lambda g, y, x: 2.00001 * g * x), [x])


def test_numbers_that_differ_are_printed_so() -> None:
    with pytest.raises(GradientError, match=r"is 2\.0000000001\d* according to the rules, and 2\.0 according to"):
        gradcheck(square(lambda g, y, x: (2 + 1e-10) * g * x), [1.0], tolerance=1e-12)


@pytest.mark.parametrize("f", [tg.abs, tg.relu, lambda x: tg.maximum(x, 0.0)])
def test_a_kink_is_called_one(f: Any) -> None:
    with pytest.raises(GradientError, match=r"order 1, by input 0, element \(0,\): there is a kink"):
        gradcheck(f, [0.0, 1.0])


def test_functions_that_draw_random_numbers_are_recognized() -> None:
    with pytest.raises(ValueError, match=r"dropout returned something else for the same inputs .* rng=0"):
        gradcheck(tg.dropout, np.arange(1.0, 30.0))
    gradcheck(lambda x: tg.dropout(x, rng=0), np.arange(1.0, 30.0))
