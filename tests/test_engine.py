"""The engine: recording, walking, freeing, accumulating, writes, hooks, no_grad, threads. No formula is tested here."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import engine, no_grad, ops


def leaf(*values: float) -> tg.Tensor:
    return tg.tensor(list(values), requires_grad=True)


def equal(t: Any, expected: Any) -> None:
    np.testing.assert_array_equal(np.asarray(engine.value(t)), expected)


# -- the graph ------------------------------------------------------------------------------------------------


def test_a_value_used_twice_adds_up() -> None:
    x = leaf(3)
    b = x + x
    c = b + b
    (c * c).sum().backward()
    equal(x.grad, [2 * 4 * 4 * 3])


def test_diamonds_are_walked_once_per_node() -> None:
    """With naive recursion, 2 to the power of 60 steps."""
    x = leaf(1)
    y = x
    for _ in range(60):
        y = (y + y) * 0.5
    y.backward()
    equal(x.grad, [1])


@given(st.data())
def test_any_order_of_use(data: st.DataObject) -> None:
    """On graphs grown at random, with values used many times, the gradient is the sum over all paths."""
    x = leaf(1)
    values, paths = [x], [1]
    for _ in range(data.draw(st.integers(1, 12))):
        i, j = (data.draw(st.integers(0, len(values) - 1)) for _ in range(2))
        values.append(values[i] + values[j])
        paths.append(paths[i] + paths[j])
    values[-1].backward()
    equal(x.grad, [paths[-1]])


@pytest.fixture
def without_collector() -> Iterator[None]:
    """As the collector would go over all of a long graph again and again, which takes as long as computing it."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("length", [200_000])
def test_long_chains(length: int, without_collector: None) -> None:
    x = leaf(1)
    y = x
    for _ in range(length):
        y = ops.neg(y)
    y.backward()
    equal(x.grad, [1])
    for _ in range(length // 4):
        y = y + x
    del y  # a graph that is never walked, and is dropped from its end


def test_only_what_is_asked_for_is_walked() -> None:
    """Rules on paths that reach no wanted value do not run."""

    @tg.primitive
    def costly(x: Any) -> Any:
        return x * 1

    costly.rules(lambda g, _y, _x: pytest.fail("nobody asked for this gradient"))
    x, w = leaf(1), leaf(2)
    (g,) = tg.grad((costly(x) * w).sum(), w)
    equal(g, [1])
    data = tg.tensor([1.0])
    (ops.mul(data, w)).sum().backward()
    assert data.grad is None


def test_constants_are_not_recorded() -> None:
    y = tg.tensor([1.0]) * 2
    assert y.node is None
    assert not y.requires_grad
    assert y.is_leaf


def test_a_rule_of_none_is_a_gradient_of_zero() -> None:
    x = leaf(-2, 3)
    y = tg.sign(x).sum()
    y.backward()
    equal(x.grad, [0, 0])
    equal(tg.grad(tg.sign(x).sum(), x)[0], [0, 0])


def test_the_output_may_be_an_input() -> None:
    x = leaf(2)
    equal(tg.grad(x, x)[0], [1])
    y = x * 3
    equal(tg.grad(y, [x, y])[1], [1])


def test_intermediate_values_can_be_asked_for() -> None:
    x = leaf(2)
    h = x * 3
    y = h * h
    gx, gh = tg.grad(y.sum(), [x, h])
    equal(gh, [12])
    equal(gx, [36])
    assert x.grad is None


def test_gradient_by_a_value_whose_own_graph_is_gone() -> None:
    x = leaf(2)
    h = x * x
    h.sum().backward()
    (g,) = tg.grad((h * h).sum(), h)
    equal(g, [8])


# -- freeing --------------------------------------------------------------------------------------------------


def times_one(rule: Any) -> engine.Primitive[...]:
    """A primitive whose rule can look at what is alive."""

    @tg.primitive
    def watching(x: Any) -> Any:
        return x * 1

    watching.rules(rule)
    return watching


def test_the_graph_is_freed_while_it_is_walked() -> None:
    """A value in the middle is gone before the rules further back run."""
    x = leaf(1)
    held: list[weakref.ref[Any]] = []
    alive: list[bool] = []

    def rule(g: Any, _y: Any, _x: Any) -> Any:
        alive.append(held[0]() is not None)
        return g

    y = times_one(rule)(x)
    middle = y * 2
    held.append(weakref.ref(middle))
    out = (middle * 3).sum()
    del middle, y
    out.backward()
    assert alive == [False]


def test_a_gradient_is_freed_once_it_has_been_used() -> None:
    """No gradient is held while the rules of a later step run but the one that they are given."""
    x = leaf(1, 2)
    held: list[weakref.ref[Any]] = []
    alive: list[bool] = []

    def rule(g: Any, _y: Any, _x: Any) -> Any:
        alive.extend(gradient() is not None for gradient in held)
        h = g * 1
        held[:] = [weakref.ref(g), weakref.ref(h)]
        return h

    watching = times_one(rule)
    watching.ends_with(lambda g, _y, _x: g * 1)
    watching(watching(watching(x))).sum().backward()
    assert alive == [False, False] * 2  # the gradient that came to the step before, and the one that left it


def test_a_training_loop_leaves_no_garbage() -> None:
    """With the cyclic collector off, memory is flat: nothing refers to itself."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((20, 30)), tg.tensor(rng.standard_normal((30, 50)), requires_grad=True)

    def step() -> None:
        loss = (tg.relu(tg.matmul(x, w)) ** 2).mean()
        loss.backward()
        with no_grad():
            w.array -= 0.01 * w.grad.array
            engine.wrote(w)
        w.zero_grad()

    step()  # what is kept from the first one on is no garbage of the others
    gc.collect()
    gc.disable()
    try:
        full = [(0,) * size for size in range(1, 20) for _ in range(2100)]
        del full  # Python keeps up to 2,000 tuples of a size for later: now that store is full
        tracemalloc.start()
        for _ in range(300):
            step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            step()
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert grown < 300 * 16  # not one object per step


def test_a_second_walk_needs_retain_graph() -> None:
    x = leaf(2)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    equal(x.grad, [8])
    with pytest.raises(RuntimeError, match=r"freed by an earlier walk.*retain_graph=True"):
        y.backward()


def test_a_shared_part_is_freed_with_the_first_walk() -> None:
    x = leaf(2)
    h = x * x
    a, b = h * 3, h * 4
    a.backward()
    with pytest.raises(RuntimeError, match="the graph behind the result of mul was freed"):
        b.backward()


def test_gradients_are_not_changed_by_a_second_walk() -> None:
    """micrograd's: intermediate gradients of the first walk must not be counted again."""
    x = leaf(3)
    y = x * x
    z = (y * 1.0).sum()
    z.backward(retain_graph=True)
    z.backward()
    equal(x.grad, [12])


# -- grad: whose memory ---------------------------------------------------------------------------------------


def test_gradients_accumulate_and_own_their_memory() -> None:
    x, w = leaf(1, 2), leaf(3, 4)
    for n in (1, 2):
        seed = np.ones(2, np.float32)
        (x + w).backward(seed)
        equal(x.grad, [n, n])
        assert x.grad is not None
        assert w.grad is not None
        assert not np.shares_memory(x.grad.array, w.grad.array)
        assert not np.shares_memory(x.grad.array, seed)
    x.grad.array *= 10
    equal(w.grad, [2, 2])


def test_grad_gives_each_input_memory_of_its_own() -> None:
    x, w = leaf(1, 2), leaf(3, 4)
    seed = np.ones(2, np.float32)
    gx, gw, gy = tg.grad((y := x + w), [x, w, y], seed)
    for a, b in ((gx, gw), (gx, gy), (gw, gy)):
        assert not np.shares_memory(a.array, b.array)
    assert not np.shares_memory(gy.array, seed)


def test_accumulating_does_not_change_a_gradient_that_was_kept() -> None:
    """A gradient that a graph was made of is not overwritten unseen."""
    x = leaf(2)
    (x * x).sum().backward(create_graph=True)
    kept = x.grad
    (x * x).sum().backward()
    equal(kept, [4])
    equal(x.grad, [8])


def test_a_gradient_that_the_user_gave_is_added_to_but_not_written_to() -> None:
    x, w = leaf(1), leaf(1)
    given = tg.tensor([5.0])
    x.grad = w.grad = given
    (x * 2).backward()
    equal(x.grad, [7])
    equal(w.grad, [5])
    x.grad = tg.Tensor.wrap(np.broadcast_to(np.float32(1), (1,)))  # read-only
    (x * 2).backward()
    equal(x.grad, [3])


def test_create_graph_accumulates_recorded_gradients() -> None:
    x = leaf(2)
    (x**3).sum().backward(create_graph=True)
    (x**2).sum().backward(create_graph=True)
    assert x.grad is not None
    equal(x.grad, [3 * 4 + 2 * 2])
    first = x.grad
    x.grad = None
    first.sum().backward()
    equal(x.grad, [6 * 2 + 2])


def test_every_order() -> None:
    x = tg.tensor(np.array(2.0), requires_grad=True)
    y = x**5
    for expected in (5 * 16, 20 * 8, 60 * 4, 120 * 2, 120):
        (y,) = tg.grad(y, x, create_graph=True)
        equal(y, expected)
    assert tg.grad(y * x, x)[0].item() == 120


def test_first_order_gradients_are_constants() -> None:
    x = leaf(2)
    (x**2).sum().backward()
    assert x.grad is not None
    assert x.grad.node is None
    assert not x.grad.requires_grad
    assert not tg.grad((x**2).sum(), x)[0].requires_grad


# -- writes between forward and backward ------------------------------------------------------------------------


def times(x: tg.Tensor) -> tg.Tensor:
    return x * x


@tg.primitive
def strided_view(x: Any) -> Any:
    return np.lib.stride_tricks.as_strided(x, x.shape, x.strides)


strided_view.rules(lambda g, _y, _x: g)

WRITES = {
    "data[...] =": lambda x: x.data.__setitem__(0, 9.0),
    "data +=": lambda x: x.data.__iadd__(1),
    "data = ": lambda x: setattr(x, "data", [9.0, 9.0]),
    "+= under no_grad": lambda x: no_grad(x.__iadd__)(1.0),
    "a view's data": lambda x: x[:1].data.__setitem__(0, 9.0),
    "detach().data": lambda x: x.detach().data.fill(9.0),
    "reshape's data": lambda x: x.reshape(2, 1).data.fill(9.0),
    "detach().T.data": lambda x: x.detach().T.data.fill(9.0),
    "data seen before": lambda x: x.kept.fill(9.0),
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("through", ["itself", "a view", "a view of a view", "a strided view"])
def test_a_write_that_would_falsify_a_gradient_raises(write: str, through: str) -> None:
    class Keeping(tg.Tensor):
        kept: Any

    x = Keeping(np.array([1.0, 2.0]), requires_grad=True)
    x.kept = x.data if "before" in write else None
    if through == "itself":
        y = x * x
    elif through == "a view":
        y = times(x[:2])
    elif through == "a view of a view":
        y = times(x.reshape(2, 1).T)
    else:
        y = times(strided_view(x))  # whose base is not the array
    WRITES[write](x)
    with pytest.raises(RuntimeError, match=r"mul: its input \d .* was written to between the forward and the backward"):
        y.sum().backward()


def test_a_write_to_a_result_that_its_rule_reads_raises() -> None:
    x = leaf(1, 2)
    y = x.exp()
    y.data[0] = 5
    with pytest.raises(RuntimeError, match=r"exp: its result .* was written to"):
        y.sum().backward()


def test_writes_that_matter_to_no_gradient_are_allowed() -> None:
    x = leaf(1, 2)
    held = x.data
    held[0] = 3  # before the recording
    y = x.exp()
    x.data[1] = 7  # exp's rule reads its result, not its input
    (y + x).sum().backward()  # and that of add neither
    np.testing.assert_allclose(x.grad.numpy(), np.exp([3, 2]) + 1, rtol=1e-6)
    x.zero_grad()
    z = x * 2.0
    x.data[:] = 0
    z.sum().backward()
    equal(x.grad, [2, 2])


def test_a_write_after_backward_is_free() -> None:
    x = leaf(1, 2)
    for _ in range(3):
        (x * x).sum().backward()
        x.data -= 0.1 * x.grad.data
        x.zero_grad()
    np.testing.assert_allclose(x.numpy(), np.array([1, 2]) * 0.8**3, rtol=1e-6)


def test_a_write_is_found_in_one_of_many_views() -> None:
    """Written through one view, read by the rule through another; neither shows all of the memory."""
    x = tg.tensor(np.arange(10.0), requires_grad=True)
    left, right = x[:6], x[4:]
    y = (right * right).sum()
    left.data[5] = 100
    with pytest.raises(RuntimeError, match="written to"):
        y.backward()
    x = tg.tensor(np.arange(10.0), requires_grad=True)
    left, right = x[:4], x[6:]
    left.data, right.data  # noqa: B018  # handing out one part, then another, is no write
    y = (right * right).sum()
    assert x.data is not None
    y.backward()


def test_the_memory_of_arguments_is_the_callers() -> None:
    """An array that an operation was given may be written to right after."""
    x, a = leaf(1, 2), np.array([3.0, 4.0], np.float32)
    y = x * a
    index = np.array([0, 1])
    z = x[index]
    a[:] = 0
    index[:] = 0
    (y + z).sum().backward()
    equal(x.grad, [4, 5])


# -- hooks ----------------------------------------------------------------------------------------------------


def test_hooks_see_replace_and_go_away() -> None:
    x = leaf(1, 2)
    seen: list[Any] = []
    h = x * 2
    h.register_hook(lambda g: seen.append(g.numpy().copy()))
    remove = h.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    h.sum().backward(retain_graph=True)
    equal(seen[0], [1, 1])
    equal(x.grad, [21, 21])
    remove()
    remove()
    x.zero_grad()
    h.sum().backward()
    equal(x.grad, [3, 3])


def test_a_hook_may_keep_or_write_to_the_gradient_it_sees() -> None:
    x, w = leaf(1), leaf(1)
    kept: list[tg.Tensor] = []
    y = x + w
    x.register_hook(kept.append)
    w.register_hook(lambda g: g.data.fill(5))
    y.backward()
    equal(x.grad, [1])
    equal(w.grad, [5])
    y = x * 2
    y.backward()
    equal(kept[0], [1])


def test_hooks_are_recorded_with_create_graph() -> None:
    x = tg.tensor(3.0, requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = tg.grad(y, x, create_graph=True)  # 2 x x
    equal(tg.grad(g, x)[0], 12)


# -- no_grad ----------------------------------------------------------------------------------------------------


def records() -> bool:
    return (leaf(1) * 2).requires_grad


def test_no_grad_as_context_and_decorators() -> None:
    with no_grad():
        assert not records()
        with engine.set_recording(True):
            assert records()
        assert not records()
    assert records()
    assert not no_grad()(records)()
    assert not no_grad(records)()
    assert no_grad()(records).__name__ == "records"
    again = no_grad()
    with again, again:
        assert not records()
    assert records()


def test_no_grad_survives_exceptions() -> None:
    def fail() -> None:
        with no_grad():
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(KeyError):
        no_grad()({}.__getitem__)("missing")
    assert records()


def test_no_grad_on_a_generator_holds_inside_of_it_only() -> None:
    closed: list[bool] = []

    @no_grad()
    def generator() -> Generator[Any, Any, str]:
        try:
            got = yield records()
            assert got == "sent"
            try:
                yield records()
            except KeyError:
                yield records()
            return "end"
        finally:
            closed.append(records())

    def outer() -> Iterator[Any]:
        assert (yield from generator()) == "end"

    g: Any = outer()
    assert next(g) is False
    assert records()
    assert g.send("sent") is False
    assert records()
    assert g.throw(KeyError()) is False
    assert list(g) == []
    g = generator()
    next(g)
    g.close()
    assert closed == [False, False]
    assert records()


def test_no_grad_in_coroutines_is_each_tasks_own() -> None:
    @no_grad()
    async def without() -> bool:
        await asyncio.sleep(0)
        inside = records()
        await asyncio.sleep(0)
        return inside

    async def within() -> bool:
        await asyncio.sleep(0)
        return records()

    async def both() -> list[bool]:
        return list(await asyncio.gather(without(), within(), without(), within()))

    assert asyncio.run(both()) == [False, True, False, True]
    with pytest.raises(TypeError, match="asynchronous generator"):

        @no_grad()
        async def generator() -> AsyncIterator[int]:
            yield 1


def test_no_grad_is_each_threads_own() -> None:
    seen: list[bool] = []
    with no_grad():
        thread = threading.Thread(target=lambda: seen.append(records()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_threads_differentiate_at_the_same_time() -> None:
    results: dict[int, Any] = {}

    def work(n: int) -> None:
        x = leaf(n)
        for _ in range(50):
            x.zero_grad()
            y = x
            for _ in range(20):
                y = y * 1.0 + x * 0.0
            (y * y).sum().backward()
        results[n] = x.grad

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n in range(6):
        equal(results[n], [2 * n])


# -- un-broadcasting ----------------------------------------------------------------------------------------------


@given(st.data())
def test_unbroadcasting_is_the_transpose_of_broadcasting(data: st.DataObject) -> None:
    """<broadcast x, g> = <x, unbroadcast g>, for any shapes that broadcast."""
    from tensorgrad.testing.strategies import arrays, broadcastable_shapes

    a, b = data.draw(broadcastable_shapes(2, min_side=0))
    x = tg.tensor(data.draw(arrays(a)), requires_grad=True)
    y = x + np.zeros(b)
    g = data.draw(arrays(y.shape))
    y.backward(g)
    assert x.grad is not None
    np.testing.assert_allclose((y.numpy() * g).sum(), (x.numpy() * x.grad.numpy()).sum(), atol=1e-12)


def test_a_rule_may_return_what_was_broadcast_but_not_less() -> None:
    @tg.primitive
    def scaled(x: Any) -> Any:
        return x * 2

    x = leaf(1, 2, 3)
    scaled.rules(lambda g, _y, _x: np.ones((4, 3), np.float32) * g)
    scaled(x).sum().backward()
    equal(x.grad, [4, 4, 4])
    for wrong in (np.ones(2), np.ones(()), np.ones(1), np.ones((3, 2)), 1.0, None):
        scaled.rules(lambda g, _y, _x, wrong=wrong: wrong)
        with pytest.raises(ValueError, match=r"scaled: the rule for its input 0 must return .* shape \(3,\)"):
            scaled(x).sum().backward()


def test_integers_follow_but_are_not_recorded() -> None:
    @tg.primitive
    def where_largest(x: Any) -> Any:
        return x.argmax(axis=-1)

    x = leaf(1, 3, 2)
    y = where_largest(x)
    assert not y.requires_grad
    assert y.item() == 1


# -- what a record keeps --------------------------------------------------------------------------------------


def ones() -> tg.Tensor:
    return tg.tensor(np.ones((2, 16, 16, 4)), dtype="float32", requires_grad=True)


UNREAD: dict[str, Any] = {
    "a sum": lambda x: x + ones(),
    "a product with a constant": lambda x: x * 3,
    "a concatenation": lambda x: tg.concatenate([x, ones()], axis=-1),
    "an average pooling": lambda x: tg.avg_pool2d(x, 2),
    "an upsampling": lambda x: ops.repeat_pixels(x, size=(2, 2)),
    "a relu": lambda x: x.relu(),
    "a tanh": lambda x: x.tanh(),
    "a sum of all": lambda x: x.sum(),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", UNREAD)
def test_what_no_rule_reads_is_freed_while_the_graph_lives(name: str, create_graph: bool) -> None:
    x = ones()
    middle = x * 2
    held = weakref.ref(middle.array)
    y = UNREAD[name](middle)
    del middle
    assert held() is None
    (g,) = tg.grad(y.sum(), x, create_graph=create_graph)
    kept = tg.tensor(np.full(x.shape, 2), dtype="float32", requires_grad=True)
    (by_kept,) = tg.grad(UNREAD[name](kept).sum(), kept)
    np.testing.assert_allclose(g.array, 2 * by_kept.array)


def test_a_result_that_no_rule_reads_is_freed_and_one_that_is_read_stays_until_the_walk() -> None:
    x = ones()
    freed, kept = x + 1, x.relu()
    arrays = [weakref.ref(freed.array), weakref.ref(kept.array)]
    y = (freed + kept).sum()
    del freed, kept
    assert [array() is None for array in arrays] == [True, False]
    y.backward()
    assert arrays[1]() is None
    equal(x.grad, np.full(x.shape, 2))


def test_hooks_and_gradients_of_a_value_that_was_not_kept() -> None:
    x = ones()
    middle = x * 2
    y = (middle + 1).sum()
    remove = middle.register_hook(lambda g: g * 5)
    by_middle, by_x = tg.grad(y, [middle, x], retain_graph=True)
    equal(by_middle, np.full(x.shape, 5))
    equal(by_x, np.full(x.shape, 10))
    remove()
    middle.data[...] = 7  # no rule reads it
    equal(tg.grad(y, x)[0], np.full(x.shape, 2))


def test_a_rule_that_reads_what_was_not_kept_is_refused() -> None:
    x = ones()
    y = (x * 2).relu().sum()

    def by_the_input(g: Any, _y: Any, x: Any) -> Any:
        return g * (x > 0)

    message = (
        r"relu: its input 0 \(shape \(2, 16, 16, 4\)\) was not kept .* replace the rule before the forward pass too"
    )
    with tg.override_rule(ops.relu, 0, by_the_input):
        with pytest.raises(RuntimeError, match=message):
            y.backward(retain_graph=True)
        inside = (x * 2).relu().sum()
        equal(tg.grad(inside, x, retain_graph=True)[0], np.full(x.shape, 2))
    equal(tg.grad(inside, x)[0], np.full(x.shape, 2))  # by the rule of ever
    y.backward()
    equal(x.grad, np.full(x.shape, 2))


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_write_to_a_kept_result_is_found_in_a_second_walk(create_graph: bool) -> None:
    x = ones()
    y = x.sigmoid()
    total = y.sum()
    slope = tg.grad(total, x, retain_graph=True, create_graph=create_graph)[0]
    y.data[...] = 7
    with pytest.raises(RuntimeError, match=r"sigmoid: its result .* was written to"):
        tg.grad(total, x)
    if create_graph:
        with pytest.raises(RuntimeError, match="was written to"):
            tg.grad(slope.sum(), x)


def test_a_layers_result_makes_room_for_its_gradients() -> None:
    """Beside a gradient that comes and one that goes, a convolution's walk holds its input, and not its result."""
    x = tg.tensor(np.ones((8, 64, 64, 8)), dtype="float32", requires_grad=True)
    w, b = tg.tensor(np.ones((1, 1, 8, 8)), dtype="float32"), tg.tensor(np.zeros(8), dtype="float32")
    tg.conv2d(x, w, b, activation="relu").sum().backward()  # warms up
    x.zero_grad()
    tg.release_memory()
    tracemalloc.start()
    total = (tg.conv2d(x, w, b, activation="relu") * 2).sum()
    total.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * x.array.nbytes


def test_a_walk_that_was_cut_short_is_not_begun_again_without_its_result() -> None:
    """What a walk freed is gone, also if it then raised: a second one says so, and finds no gradient of 0."""
    x = ones()
    w, b = tg.tensor(np.ones((1, 1, 4, 4)), dtype="float32"), tg.tensor(np.zeros(4), dtype="float32")
    y = tg.conv2d(x, w, b, activation="relu")
    with tg.detect_anomaly(), pytest.raises(tg.debug.AnomalyError):
        y.backward(np.full(y.shape, np.inf, "float32"))
    with pytest.raises(RuntimeError, match="was freed by an earlier walk"):
        y.backward(np.ones(y.shape, "float32"))


def test_what_only_the_joint_rule_reads_is_kept() -> None:
    @engine.primitive
    def product(x: Any, w: Any) -> Any:
        return x * w

    product.rules(lambda g, _y, _x, w: g * w, lambda g, y, _x, w: g * (y / w))
    product.at_once(lambda g, _y, x, w: (g * w, g * x))
    x, w = ones(), ones()
    product(x * 2, w * 3).sum().backward()
    equal(x.grad, np.full(x.shape, 6))
    equal(w.grad, np.full(w.shape, 6))


def test_a_rule_may_return_one_of_its_inputs() -> None:
    """The array is another's then, so nothing is added to it, and no leaf takes it for its gradient."""

    @engine.primitive
    def half_of_squares(x: Any) -> Any:
        return (x * x / 2).sum()

    half_of_squares.rules(lambda _g, _y, x: x)
    x = ones()
    middle = x * 2
    (middle.sum() + half_of_squares(middle) + half_of_squares(x)).backward()
    equal(middle, np.full(x.shape, 2))
    equal(x.grad, np.full(x.shape, 7))
    x.zero_grad()
    half_of_squares(x).backward()
    assert x.grad is not None
    assert not np.shares_memory(x.grad.array, x.array)


def test_small_values_are_kept_for_rules_that_are_replaced_after_the_forward_pass() -> None:
    x = tg.tensor([-1.0, 2.0], requires_grad=True)
    y = (x * 1 + 1).sum()
    with tg.override_rule(ops.add, 0, lambda g, y, x, _w: g * y * x):
        y.backward()
    equal(x.grad, [0, 6])
