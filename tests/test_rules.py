"""Rules that are replaced: for a while or for good, in primitives of their own and inside fused ones."""

from __future__ import annotations

import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import Tensor, ops, release_memory
from tensorgrad.engine import value
from tensorgrad.layers import FFL, Activation, Conv2d, Layer, Sequential
from tensorgrad.testing import gradcheck
from tests.ops.table import ROWS, Row

FUSED = [row for row in ROWS if row.primitive.definition is not None]
IMAGES = np.random.default_rng(0).standard_normal((3, 6, 6, 2)).astype(np.float32)


def guided(g: Any, y: Any, _x: Any) -> Any:
    """Guided backpropagation (Springenberg et al. 2014)."""
    return g * (value(g) > 0) * (value(y) > 0)


def straight(g: Any, _y: Any, _x: Any) -> Any:
    return g


def by_the_input(g: Any, _y: Any, x: Any) -> Any:
    return g * (0.5 + (value(x) > 0.3))


def gradients(layer: Layer, x: Any, **keywords: Any) -> list[Any]:
    """The gradients of a weighted sum of the outputs by the input and all parameters."""
    t = Tensor(x, requires_grad=True)
    y = layer(t)
    seed = np.cos(np.arange(y.size)).reshape(y.shape).astype(np.float32)
    return [g.numpy() for g in tg.grad((y * seed).sum(), [t, *layer.parameters()], **keywords)]


def fused_and_not(kind: Callable[..., Layer], samples: Any) -> tuple[Layer, Layer]:
    """A layer that ends with a relu, and one of the same weights with a relu behind it."""
    fused, plain = kind(activation="relu"), kind(activation=None)
    for layer in (fused, plain):
        layer.wire(samples.shape[1:] if samples.ndim > 2 else samples.shape[1], 0)
    for name, values in plain.named_parameters():
        getattr(fused, name).data = values
    both = Sequential([plain, Activation("relu")])
    both.wire(plain.input_shape, 0)
    return fused, both


LAYERS: list[tuple[Callable[..., Layer], Any]] = [
    (lambda **a: Conv2d(filters=4, **a), IMAGES),
    (lambda **a: Conv2d(filters=4, isbias=False, **a), IMAGES),
    (lambda **a: FFL(neurons=5, **a), IMAGES.reshape(3, -1)),
]


@pytest.fixture(params=[guided, straight, by_the_input], ids=lambda rule: rule.__name__)
def rule(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize(("kind", "x"), LAYERS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_rule_of_relu_reaches_every_layer_with_one(
    kind: Callable[..., Layer], x: Any, create_graph: bool, rule: Any
) -> None:
    fused, plain = fused_and_not(kind, x)
    usual = gradients(fused, x)
    with tg.override_rule(ops.relu, 0, rule):
        found, expected = (gradients(layer, x, create_graph=create_graph) for layer in (fused, plain))
    assert any(abs(f - u).max() > 0.1 for f, u in zip(found, usual, strict=True))
    for f, e in zip(found, expected, strict=True):
        np.testing.assert_allclose(f, e, rtol=1e-5, atol=1e-5)
    for again, u in zip(gradients(fused, x), usual, strict=True):
        np.testing.assert_array_equal(again, u)


@pytest.fixture
def relu_for_good(rule: Any) -> Iterator[None]:
    former, _ = ops.relu.rule(0)
    ops.relu.rules(rule)
    yield
    ops.relu.rules(former)


@pytest.mark.usefixtures("relu_for_good")
def test_so_does_one_that_is_set_for_good() -> None:
    for kind, x in LAYERS:
        fused, plain = fused_and_not(kind, x)
        for f, e in zip(gradients(fused, x), gradients(plain, x), strict=True):
            np.testing.assert_allclose(f, e, rtol=1e-5, atol=1e-5)


def test_only_the_walk_has_to_be_inside_and_the_rest_of_the_graph_is_as_ever() -> None:
    x = Tensor([[-1.0, 2.0]], requires_grad=True)
    w = Tensor([[1.0, -1.0], [0.5, 1.0]], requires_grad=True)
    y = tg.affine(x * 1, w, [0.0, 0.0], activation="relu")  # (0, 3)
    with tg.override_rule(ops.relu, 0, straight):
        (y * [1.0, 2.0]).sum().backward()
    assert x.grad.tolist() == [[1 * 1 + 2 * -1, 1 * 0.5 + 2 * 1]]
    assert w.grad.tolist() == [[-1.0, -2.0], [2.0, 4.0]]


@pytest.mark.parametrize("bias", [True, False])
def test_a_clipped_weight_gradient_of_convolutions(bias: bool) -> None:
    def clipped(g: Any, _y: Any, x: Any, _w: Any, **geometry: Any) -> Any:
        return ops.conv2d_weight(x, g, size=_w.shape[:2], **geometry).clip(-1, 1)

    layer = Conv2d(filters=4, isbias=bias, activation="tanh")
    layer(IMAGES)
    by_x, by_w, *_ = gradients(layer, IMAGES)
    with tg.override_rule(ops.conv2d, 1, clipped):
        found_x, found_w, *_ = gradients(layer, IMAGES)
    assert abs(by_w).max() > 2
    np.testing.assert_allclose(found_w, by_w.clip(-1, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found_x, by_x, rtol=1e-4, atol=1e-5)


def test_a_rule_of_the_fused_primitive_itself_comes_first() -> None:
    layer = Conv2d(filters=4, activation="relu")
    layer(IMAGES)
    usual = gradients(layer, IMAGES)
    with tg.override_rule(ops.conv2d_bias, 2, None), tg.override_rule(ops.conv2d, 0, None):
        x, w, b = gradients(layer, IMAGES, allow_unused=True)
    np.testing.assert_array_equal(x, usual[0])
    np.testing.assert_array_equal(w, usual[1])
    assert not b.any()


def test_cross_entropy_has_the_rule_of_log_softmax() -> None:
    x = Tensor([[1.0, 2.0, -np.inf]], requires_grad=True)
    with tg.override_rule(ops.log_softmax, 0, lambda g, _y, _x, *, axis: g * 7):
        tg.cross_entropy(x, [1]).backward()
    assert x.grad.tolist() == [[0, -7, 0]]


@pytest.mark.parametrize("row", FUSED, ids=repr)
@given(data=st.data())
def test_a_fused_primitive_is_what_it_stands_for(row: Row, data: st.DataObject) -> None:
    """The value and the gradients, which are those of the composition while a rule of a part is another function."""
    arrays, params = data.draw(row.cases(1))
    definition, parts = row.primitive.definition, row.primitive.parts(**params)
    assert definition
    np.testing.assert_allclose(definition(*arrays, **params), row.primitive(*arrays, **params), rtol=1e-12, atol=1e-12)
    expected = two_orders(definition, arrays, params)
    former, _ = parts[0].rule(0)
    assert former
    with tg.override_rule(parts[0], 0, lambda *args, **metadata: former(*args, **metadata)):
        overridden = two_orders(row.primitive, arrays, params)
    for found in (two_orders(row.primitive, arrays, params), overridden):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-8, atol=1e-8)


def two_orders(f: Any, arrays: Any, params: Any) -> list[Tensor]:
    """The gradients of the sum of squares of a function, and those of the sum of their squares."""
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    y = f(*tensors, **params)
    first = tg.grad((y * y).sum(), tensors, create_graph=True)
    return [*first, *tg.grad(sum((g * g).sum() for g in first), tensors, allow_unused=True)]


# -- the way back ---------------------------------------------------------------------------------------------


def slope_of_relu() -> float:
    x = Tensor([2.0], requires_grad=True)
    x.relu().sum().backward()
    return x.grad.item()


def times(factor: float) -> Callable[..., Any]:
    return lambda g, _y, _x: factor * g


@pytest.mark.parametrize(("replaced", "same"), [(ops.mul, True), (ops.batch_norm, False)])
def test_gradients_at_once_are_those_of_whoever_s_rules_were_not_replaced(replaced: Any, same: bool) -> None:
    """To the bit, so that a rule which somebody else replaces does not change how a network trains."""
    rng = np.random.default_rng(0)
    x, w, b = (
        tg.tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True) for shape in ((500, 7), 7, 7)
    )
    g = rng.standard_normal((500, 7)).astype(np.float32)

    def gradients() -> list[bytes]:
        y = ops.batch_norm(x, w, b, eps=1e-5, moments=None)
        return [h.numpy().tobytes() for h in tg.grad(y, [x, w, b], g)]

    before = gradients()
    with tg.override_rule(replaced, 0, lambda g, _y, _x, *_, **__: 2 * g):
        after = gradients()
    assert (after == before) is same
    assert gradients() == before


def test_a_primitive_whose_rules_were_set_again_is_not_kept_alive() -> None:
    @tg.engine.primitive
    def mine(x: Any) -> Any:
        return x.copy()

    mine.rules(lambda g, _y, _x: g)
    mine.rules(times(2))
    assert mine.is_new()
    held = weakref.ref(mine)
    del mine
    gc.collect()
    assert held() is None


def test_overrides_nest_and_end_whatever_happens() -> None:
    with tg.override_rule(ops.relu, 0, times(2)):
        assert slope_of_relu() == 2
        with tg.override_rule(ops.relu, 0, times(3)), tg.override_rule(ops.exp, 0, times(5)):
            assert slope_of_relu() == 3
        assert slope_of_relu() == 2
        with pytest.raises(KeyError), tg.override_rule(ops.relu, 0, None):
            raise KeyError(slope_of_relu())
        assert slope_of_relu() == 2
    assert slope_of_relu() == 1


def test_an_override_is_a_decorator_too() -> None:
    decorated = tg.override_rule(ops.relu, 0, times(2))(slope_of_relu)
    with tg.override_rule(ops.exp, 0, times(2)):  # added to what holds where it is called
        assert decorated() == 2
    assert [decorated(), slope_of_relu(), decorated()] == [2, 1, 2]


def test_an_override_holds_for_one_thread() -> None:
    found: list[float] = []
    with tg.override_rule(ops.relu, 0, times(2)):
        thread = threading.Thread(target=lambda: found.append(slope_of_relu()))
        thread.start()
        thread.join()
    assert found == [1]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ((np.maximum, 0, None), TypeError, "override_rule: expected a primitive such as tensorgrad.ops.relu"),
        ((ops.relu, 1, None), ValueError, "relu has the inputs x; expected a position from 0 to 0, received 1"),
        ((ops.mul, -1, None), ValueError, "mul has the inputs x, y; expected a position from 0 to 1, received -1"),
        ((ops.relu, 0, lambda g: g), TypeError, r"relu: the rule for its input 0 must take \(g, y, x\)"),
        ((ops.exp, "0", None), ValueError, "expected a position from 0 to 0, received '0'"),
    ],
)
def test_what_cannot_be_overridden(arguments: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        tg.override_rule(*arguments)


def test_any_input_of_a_primitive_of_many_can_be_overridden() -> None:
    xs = [Tensor([1.0], requires_grad=True) for _ in range(3)]
    y = tg.concatenate(xs).sum()
    with tg.override_rule(ops.concatenate, 2, lambda g, _y, *_xs, axis: 4 * g[2:]):
        y.backward()
    assert [x.grad.item() for x in xs] == [1, 1, 4]


def test_an_overriding_rule_that_reads_what_was_written_to_is_refused() -> None:
    x = Tensor([1.0, -1.0], requires_grad=True)
    middle = x * 1
    y = middle.relu().sum()
    middle.data[...] = 5
    with tg.override_rule(ops.relu, 0, by_the_input), pytest.raises(RuntimeError, match="relu: its input 0"):
        y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [1, 0]


def test_gradcheck_sees_an_override() -> None:
    with tg.override_rule(ops.tanh, 0, times(1)), pytest.raises(AssertionError):
        gradcheck(tg.tanh, np.array([0.5, 1.0]))


# -- what a rule reads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_what_the_last_step_reads_is_known_in_whatever_order_rules_are_set(order: int) -> None:
    @tg.primitive
    def ended(x: Any) -> Any:
        return np.exp(x)

    for step in [
        lambda: ended.rules(lambda g, _y, _x: g),
        lambda: ended.ends_with(lambda g, y, _x: g * y),
    ][::order]:
        step()
    x = Tensor([0.0], requires_grad=True)
    y = ended(x)
    out = y.sum()
    y.data[...] = 0
    with pytest.raises(RuntimeError, match="ended: its result"):
        out.backward()


def test_a_last_step_is_checked_after_the_rules_of_a_convolution_were_set_again() -> None:
    ops.conv2d_bias.rules(*(ops.conv2d_bias.rule(i)[0] for i in range(3)))
    x = Tensor(IMAGES, requires_grad=True)
    y = tg.conv2d(x, np.ones((3, 3, 2, 1), np.float32), [0.0], activation="relu")
    out = y.sum()
    y.data[...] = 0
    with pytest.raises(RuntimeError, match="conv2d_bias: its result"):
        out.backward()


def test_a_last_step_is_written_over_a_gradient_that_nobody_else_has() -> None:
    written: list[int] = []

    @tg.primitive
    def ended(x: Any) -> Any:
        return x * 2

    def in_place(g: Any, _y: Any) -> bool:
        written.append(len(g))
        g *= 2
        return True

    ended.rules(lambda g, _y, _x: g)
    ended.ends_with(lambda g, _y, _x: g * 2, in_place=in_place)
    x = Tensor([1.0, 2.0], requires_grad=True)

    def slopes(by: tuple[Tensor, ...], y: Tensor, **options: Any) -> list[list[float]]:
        return [g.tolist() for g in tg.grad(y, by, **options)]

    y = ended(x)
    seed = np.array([1.0, 10.0], np.float32)
    assert slopes((x,), y, gradient=seed, retain_graph=True) == [[2, 20]]  # the user's
    assert slopes((x, y), y * 3, gradient=seed, retain_graph=True) == [[6, 60], [3, 30]]  # asked for too
    assert slopes((x,), (y * 3).sum(), create_graph=True) == [[6, 6]]  # recorded
    with tg.override_rule(ops.exp, 0, None):  # the rules of some primitive are others
        assert slopes((x,), (y * 3).sum(), retain_graph=True) == [[6, 6]]
    kept: list[Tensor] = []
    remove = y.register_hook(kept.append)
    assert slopes((x,), (y * 3).sum(), retain_graph=True) == [[6, 6]]  # a hook may have kept it
    assert kept[0].tolist() == [3, 3]
    remove()
    assert not written
    assert slopes((x,), (y * 3).sum()) == [[6, 6]]
    assert written == [2]


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "leaky_relu"])
def test_a_last_steps_gradient_takes_no_memory(activation: str) -> None:
    x, w, b = np.ones((16, 64, 64, 4)), np.ones((1, 1, 4, 16)), Tensor(np.zeros(16), requires_grad=True)
    y = tg.conv2d(x, w, b, activation=activation)
    y.sum().backward(retain_graph=True)  # warms up
    total = (y * 2).sum()
    release_memory()
    tracemalloc.start()
    total.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * y.nbytes  # one gradient, and tiles


def test_a_last_step_needs_a_rule_by_its_result() -> None:
    with pytest.raises(ValueError, match="softplus: a last step needs a rule that reads the result alone"):
        ops.LastStep(ops.softplus, lambda y: None)


def test_a_rule_may_call_public_functions_which_give_tensors() -> None:
    def rule(g: Any, y: Any, _x: Any) -> Any:
        return tg.minimum(y, 1) * g

    x = tg.tensor([-1.0, 0.5, 3.0], requires_grad=True)
    with tg.override_rule(ops.relu, 0, rule):
        (first,) = tg.grad((2 * tg.relu(x) + x).sum(), x)
        (again,) = tg.grad((2 * tg.relu(x) + x).sum(), x, create_graph=True)
        (second,) = tg.grad(again.sum(), x)
    assert first.tolist() == again.tolist() == [1.0, 2.0, 3.0]
    assert second.tolist() == [0.0, 1.0, 0.0]  # at 0.5: 2 by y, times the rule again
