"""The table of primitives: for each, how its inputs are drawn and what NumPy or SciPy says that it computes.

The tests in test_gradients.py go over the rows. Values stay away from kinks and ties, where a gradient is a
matter of choice; those choices have tests of their own there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from scipy import special

from tensorgrad import ops
from tensorgrad.engine import Primitive
from tensorgrad.functional import ACTIVATIONS
from tensorgrad.kernels.lowering import around
from tensorgrad.ops import LastStep
from tensorgrad.testing import strategies as draw
from tests import reference

LAST_STEPS = [None, *(a.last_step for a in ACTIVATIONS.values() if a.last_step)]

Case = tuple[tuple[Any, ...], dict[str, Any]]  # (arrays, metadata)
Cases = Callable[[int], st.SearchStrategy[Case]]  # of the least length of an axis: 1, or 0 for empty arrays too


@dataclass(frozen=True)
class Row:
    """A primitive, its inputs, its value, and up to which order its gradients are checked."""

    primitive: Primitive[...]
    cases: Cases
    reference: Callable[..., Any] | None = None
    order: int = 2

    def __repr__(self) -> str:
        return self.primitive.name


def one(low: float = -2.0, high: float = 2.0) -> Cases:
    """One array of any shape."""
    return lambda side: draw.arrays(draw.shapes(min_side=side), low=low, high=high).map(lambda x: ((x,), {}))


def off_zero(**params: Any) -> Cases:
    """One array of any shape, without ties and off 0."""
    return lambda side: draw.distinct(draw.shapes(min_side=side)).map(lambda x: ((x,), params))


def two_of_one_shape(**params: Any) -> Cases:
    """Two arrays of one shape, the second off 0."""
    return lambda side: draw.distinct(draw.shapes(min_side=side)).map(lambda y: ((np.cos(3 * y), y), params))


def one_of_rank(least: int, most: int) -> Cases:
    """One array of at least and at most so many axes."""
    shapes = st.lists(st.integers(1, 4), min_size=least, max_size=most).map(tuple)
    return lambda side: draw.arrays(shapes).map(lambda x: ((x,), {}))


def per_channel(_: int) -> st.SearchStrategy[Case]:
    """An array of one axis or more, and a number for each channel, few of them or many."""
    shapes = st.tuples(st.lists(st.integers(1, 3), max_size=3), st.sampled_from([1, 2, 5, 70]))
    pairs = shapes.map(lambda s: ((*s[0], s[1]), (s[1],)))
    return pairs.flatmap(lambda p: st.tuples(*(draw.arrays(st.just(shape)) for shape in p))).map(lambda a: (a, {}))


def of_one_shape_with_channels(_: int) -> st.SearchStrategy[Case]:
    """Two arrays of one shape, of one axis or more."""
    shapes = st.tuples(st.lists(st.integers(1, 3), max_size=3), st.sampled_from([1, 2, 5]))
    return shapes.flatmap(lambda s: st.tuples(*(draw.arrays(st.just((*s[0], s[1]))) for _ in "xy"))).map(
        lambda a: (a, {})
    )


def normalized(_: int) -> st.SearchStrategy[Case]:
    """Images of which no two pixels of a channel are equal, a scale and a shift for each channel."""

    def case(shape: list[int], channels: int, seed: int) -> Case:
        rng = np.random.default_rng(seed)
        x = draw.distinct_values(rng, (*shape, channels))
        w, b = rng.uniform(-2, 2, (2, channels))
        return (x, w, b), {"eps": 0.3, "moments": None}

    shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3).filter(lambda shape: np.prod(shape) > 1)
    return st.builds(case, shapes, st.sampled_from([1, 2, 3]), st.integers(0, 999))


def normalized_and_activated(side: int) -> st.SearchStrategy[Case]:
    """As normalized, with shifts that keep all results off 0, some above it and some below."""

    def case(plain: Case, activation: LastStep) -> Case:
        (x, w, b), params = plain
        return (x, w / (3 * np.sqrt(x.size)), (-1.0) ** np.arange(len(b))), {"activation": activation, **params}

    return st.builds(case, normalized(side), st.sampled_from([a for a in LAST_STEPS if a]))


def normalized_input(side: int) -> st.SearchStrategy[Case]:
    """A gradient of the images, the images, and a scale for each channel."""
    return normalized(side).map(lambda case: ((np.cos(3 * case[0][0]), *case[0][:2]), case[1]))


def batch_norm(x: Any, w: Any, b: Any, eps: float, moments: None) -> Any:
    """As it is defined."""
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + eps) * w + b


def per_channel_shape(side: int) -> st.SearchStrategy[Case]:
    """A number for each channel, and the shape of an array with these channels."""
    return per_channel(side).map(lambda case: ((case[0][1],), {"shape": case[0][0].shape}))


def two(low: float = -2.0, high: float = 2.0, make: Any = draw.arrays) -> Cases:
    """Two arrays whose shapes broadcast."""
    limits = {} if make is draw.distinct else {"low": low, "high": high}
    return lambda side: draw.broadcastable_shapes(2, min_side=side).flatmap(
        lambda shapes: st.tuples(*(make(s, **limits) for s in shapes)).map(lambda xs: (xs, {}))
    )


def between_jumps(side: int) -> st.SearchStrategy[Case]:
    """Two arrays whose shapes broadcast, and whose quotients are between two whole numbers, 2 and 3 or -3 and -2."""
    return st.tuples(two(0.3, 0.7)(side), st.sampled_from([1.0, -1.0])).map(
        lambda drawn: ((drawn[1] * (2.2 + 0.5 * drawn[0][0][0]), 0.9 + 0.25 * drawn[0][0][1]), {})
    )


def untied_pair(side: int) -> st.SearchStrategy[Case]:
    """Two arrays whose shapes broadcast, and of which no elements are equal."""

    def made(shapes: tuple[Any, ...], seed: int) -> Case:
        sizes = [int(np.prod(s, dtype=int)) for s in shapes]
        values = draw.distinct_values(np.random.default_rng(seed), (sum(sizes),))
        return (values[: sizes[0]].reshape(shapes[0]), values[sizes[0] :].reshape(shapes[1])), {}

    return st.builds(made, draw.broadcastable_shapes(2, min_side=side), st.integers(0, 999))


@st.composite
def some_axes(draw_: st.DrawFn, ndim: int, least: int = 0) -> tuple[int, ...]:
    """Some of an array's axes, in rising order."""
    chosen = draw_(st.sets(st.integers(0, ndim - 1), min_size=min(least, ndim))) if ndim else set()
    return tuple(sorted(chosen))


def reducing(
    keepdims: bool = True, make: Any = draw.arrays, empty: bool = True, least: int = 0, **limits: Any
) -> Cases:
    """One array and some of its axes."""

    def cases(side: int) -> st.SearchStrategy[Case]:
        @st.composite
        def case(draw_: st.DrawFn) -> Case:
            shape = draw_(draw.shapes(min_dims=least, min_side=side if empty else 1))
            params: dict[str, Any] = {"axis": draw_(some_axes(len(shape), least))}
            if keepdims:
                params["keepdims"] = draw_(st.booleans())
            return (draw_(make(shape, **limits)),), params

        return case()

    return cases


def with_zeros(side: int) -> st.SearchStrategy[Case]:
    """As reducing, with zeros among the elements: none, one or many per product."""

    def zeroed(case: Case, seed: int, share: float) -> Case:
        (x,), params = case
        return (np.where(np.random.default_rng(seed).random(x.shape) < share, 0.0, x),), params

    return st.builds(zeroed, reducing()(side), st.integers(0, 99), st.sampled_from([0.0, 0.2, 0.6]))


def along(make: Any = draw.arrays) -> Cases:
    """One array and one of its axes."""

    @st.composite
    def case(draw_: st.DrawFn, side: int) -> Case:
        shape = draw_(draw.shapes(min_dims=1, min_side=side))
        return (draw_(make(shape)),), {"axis": draw_(st.integers(0, len(shape) - 1))}

    return lambda side: case(side)


@st.composite
def reshaped(draw_: st.DrawFn, side: int) -> Case:
    shape = draw_(draw.shapes(min_side=side))
    other = draw_(st.sampled_from([shape[::-1], (int(np.prod(shape, dtype=int)),), (1, *shape), (*shape[::-1], 1)]))
    return (draw_(draw.arrays(shape)),), {"shape": other}


@st.composite
def transposed(draw_: st.DrawFn, side: int) -> Case:
    shape = draw_(draw.shapes(min_side=side))
    return (draw_(draw.arrays(shape)),), {"axes": tuple(draw_(st.permutations(range(len(shape)))))}


@st.composite
def stretched(draw_: st.DrawFn, side: int) -> Case:
    shape = draw_(draw.shapes(min_side=side, max_side=3))
    narrow = tuple(1 if draw_(st.booleans()) else n for n in shape)[draw_(st.integers(0, len(shape))) :]
    return (draw_(draw.arrays(narrow)),), {"shape": shape}


@st.composite
def joined(draw_: st.DrawFn, side: int) -> Case:
    shape = draw_(draw.shapes(min_dims=1, min_side=side, max_side=3))
    axis = draw_(st.integers(0, len(shape) - 1))
    lengths = draw_(st.lists(st.integers(side, 3), min_size=1, max_size=3))
    return tuple(draw_(draw.arrays((*shape[:axis], n, *shape[axis + 1 :]))) for n in lengths), {"axis": axis}


INDICES: list[tuple[tuple[int, ...], Any]] = [
    ((3,), 1),
    ((3,), slice(None, None, -1)),
    ((4, 3), (slice(1, 3), -1)),
    ((4, 3), (..., 0)),
    ((4, 3), (None, slice(None, None, 2), None)),
    ((4, 3), np.array([2, 0, 2, -1])),  # 2 is named twice
    ((4, 3), (np.array([[0, 1], [0, 1]]), np.array([2, 2]))),
    ((4, 3), (slice(None), np.array([1, 1]))),
    ((4, 3), (np.array([0, 0]), slice(1, None), None)),
    ((4, 3), np.array([True, False, True, True])),
    ((2, 3), np.array([[True, False, True], [False, True, True]])),
    ((2, 3), np.zeros((2, 3), dtype=bool)),
    ((2, 3, 4), (np.array([0, 1, 0]), slice(None), np.array([3, 3, 3]))),  # advanced indices apart
    ((2, 3), np.zeros(0, dtype=int)),
    ((0, 3), slice(None)),
    ((), ()),
    ((), None),
]


def indexed(side: int) -> st.SearchStrategy[Case]:
    return st.sampled_from(INDICES).flatmap(lambda e: draw.arrays(e[0]).map(lambda x: ((x,), {"index": e[1]})))


def put(side: int) -> st.SearchStrategy[Case]:
    return st.sampled_from(INDICES).flatmap(
        lambda e: draw.arrays(np.zeros(e[0])[e[1]].shape).map(lambda x: ((x,), {"index": e[1], "shape": e[0]}))
    )


def put_by_loop(x: Any, *, index: Any, shape: Any) -> Any:
    """What putitem computes, one element after the other."""
    y = np.zeros(shape)
    places = np.arange(y.size).reshape(shape)[index]
    for place, value in zip(np.ravel(places), np.ravel(x), strict=True):
        y.reshape(-1)[place] += value
    return y


@st.composite
def taken(draw_: st.DrawFn, side: int) -> Case:
    shape = draw_(draw.shapes(min_dims=1, min_side=1))
    axis = draw_(st.integers(0, len(shape) - 1))
    indices = draw_(st.lists(st.integers(0, shape[axis] - 1), min_size=side, max_size=5))
    return (draw_(draw.arrays(shape)),), {"indices": np.array(indices, dtype=int), "axis": axis}


@st.composite
def untaken(draw_: st.DrawFn, side: int) -> Case:
    (x,), params = draw_(taken(side))
    return (np.take(x, **params) + 0.5,), {**params, "size": x.shape[params["axis"]]}


def untake_by_loop(x: Any, *, indices: Any, axis: int, size: int) -> Any:
    y = np.zeros((*x.shape[:axis], size, *x.shape[axis + 1 :]))
    for k, i in enumerate(indices):
        np.moveaxis(y, axis, 0)[i] += np.moveaxis(x, axis, 0)[k]
    return y


@st.composite
def padded(draw_: st.DrawFn, side: int) -> Case:
    shape = draw_(draw.shapes(min_side=side))
    widths = tuple((draw_(st.integers(0, 2)), draw_(st.integers(0, 2))) for _ in shape)
    return (draw_(draw.arrays(shape)),), {"widths": widths, "constant": draw_(st.sampled_from([0.0, -1.5]))}


@st.composite
def matrices(draw_: st.DrawFn, side: int) -> Case:
    n, k, m = (draw_(st.integers(side, 3)) for _ in range(3))
    left, right = draw_(draw.broadcastable_shapes(2, max_dims=2, min_side=side))
    return (draw_(draw.arrays((*left, n, k))), draw_(draw.arrays((*right, k, m)))), {}


@st.composite
def biased_matrices(draw_: st.DrawFn, side: int) -> Case:
    """A product with biases that keep all results off 0, some above it and some below, and of tanh not far off."""
    n, k, m = (draw_(st.integers(side, 3)) for _ in range(3))
    x, w = draw_(draw.arrays((n, k))), draw_(draw.arrays((k, m)))
    reach = 1 + np.abs(x @ w).max(initial=0)
    activation = draw_(st.sampled_from(LAST_STEPS))
    return (x, w / reach, (-1.0) ** np.arange(m)), {"activation": activation}


SUBSCRIPTS = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "ij->ji": ((2, 3),),
    "i,j->ij": ((2,), (3,)),
    "bij,bjk->bik": ((2, 3, 2), (2, 2, 3)),
    "ij,jk,kl->il": ((2, 3), (3, 2), (2, 2)),
    ",i->i": ((), (3,)),
    "ij,ij->": ((2, 3), (2, 3)),
    "ij,jk->ki": ((0, 3), (3, 2)),
}


def contracted(side: int) -> st.SearchStrategy[Case]:
    names = [s for s, shapes in SUBSCRIPTS.items() if side == 0 or all(0 not in shape for shape in shapes)]
    return st.sampled_from(names).flatmap(
        lambda s: st.tuples(*(draw.arrays(shape) for shape in SUBSCRIPTS[s])).map(lambda xs: (xs, {"subscripts": s}))
    )


@st.composite
def logits_and_targets(draw_: st.DrawFn, side: int) -> Case:
    shape = (*draw_(draw.shapes(max_dims=2, min_side=side)), draw_(st.integers(1, 4)))
    return (draw_(draw.arrays(shape)), draw_(draw.arrays(shape, low=0.0, high=1.0))), {}


@st.composite
def logits_and_targets_with_gradients(draw_: st.DrawFn, side: int) -> Case:
    (logits, target), _ = draw_(logits_and_targets(side))
    return (draw_(draw.arrays(logits.shape[:-1])), logits, target), {}


@st.composite
def chosen(draw_: st.DrawFn, side: int) -> Case:
    shapes = draw_(draw.broadcastable_shapes(3, min_side=side))
    condition = draw_(draw.arrays(shapes[0])) > 0
    return (condition, draw_(draw.arrays(shapes[1])), draw_(draw.arrays(shapes[2]))), {}


# -- windows: every geometry that has an output -------------------------------------------------------------


def _options(c: draw.Convolution | draw.Pooling) -> dict[str, Any]:
    """As the primitives take them: with the padding of each side."""
    return {**c.options, "padding": around(c.options["padding"])}


def convolved(side: int) -> st.SearchStrategy[Case]:
    return draw.convolutions().map(lambda c: ((c.x, c.w), _options(c)))


def _sides(c: draw.Convolution) -> tuple[Any, dict[str, Any]]:
    """The shape of the result of a convolution, filled with numbers."""
    geometry = zip(
        c.x.shape[1:3], c.w.shape[:2], *(c.options[k] for k in ("stride", "padding", "dilation")), strict=True
    )
    oh, ow = ((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in geometry)
    return np.cos(np.arange(c.x.shape[0] * oh * ow * c.w.shape[3], dtype=float)).reshape(
        -1, oh, ow, c.w.shape[3]
    ), _options(c)


def biased(side: int) -> st.SearchStrategy[Case]:
    """A convolution with biases that keep all results off 0, some above it and some below, and of tanh not far off."""

    def case(c: draw.Convolution, activation: LastStep | None) -> Case:
        reach = 1 + np.abs(reference.conv2d(c.x, c.w, **c.options)).max(initial=0)
        filters = c.w.shape[3]
        return (c.x, c.w / reach, (-1.0) ** np.arange(filters)), {"activation": activation, **_options(c)}

    return st.builds(case, draw.convolutions(), st.sampled_from(LAST_STEPS))


def conv2d_bias(x: Any, w: Any, b: Any, *, activation: LastStep | None, **options: Any) -> Any:
    return activated(reference.conv2d(x, w, **options) + b, activation)


def activated(y: Any, activation: LastStep | None) -> Any:
    """As the row of the activation's own primitive defines it."""
    if activation is None:
        return y
    (reference,) = (row.reference for row in ROWS if row.primitive is activation.primitive)
    return reference(y, **activation.params)  # type: ignore[misc]


def convolved_input(side: int) -> st.SearchStrategy[Case]:
    return draw.convolutions().map(lambda c: ((_sides(c)[0], c.w), {"shape": c.x.shape, **_options(c)}))


def convolved_weight(side: int) -> st.SearchStrategy[Case]:
    return draw.convolutions().map(lambda c: ((c.x, _sides(c)[0]), {"size": c.w.shape[:2], **_options(c)}))


def windowed(side: int) -> st.SearchStrategy[Case]:
    return draw.convolutions().map(lambda c: ((c.x,), _window(c)))


def _window(c: draw.Convolution) -> dict[str, Any]:
    return {"size": c.w.shape[:2], **{k: v for k, v in _options(c).items() if k != "groups"}}


def unwindowed(side: int) -> st.SearchStrategy[Case]:
    def case(c: draw.Convolution) -> Case:
        n, oh, ow, _ = _sides(c)[0].shape
        kh, kw = c.w.shape[:2]
        rows = np.cos(np.arange(n * oh * ow * kh * kw * c.x.shape[3], dtype=float)).reshape(n * oh * ow, -1)
        return (rows,), {"shape": c.x.shape, **_window(c)}

    return draw.convolutions().map(case)


def pooled(side: int) -> st.SearchStrategy[Case]:
    return draw.poolings().map(lambda p: ((p.x,), _pool(p)))


def _pool(p: draw.Pooling) -> dict[str, Any]:
    return {("size" if k == "kernel_size" else k): v for k, v in _options(p).items()}


def _pooled_shape(p: draw.Pooling) -> tuple[int, ...]:
    geometry = zip(p.x.shape[1:3], *p.options.values(), strict=True)
    oh, ow = ((n + 2 * q - k) // s + 1 for n, k, s, q in geometry)
    return (p.x.shape[0], oh, ow, p.x.shape[3])


def _waves(shape: tuple[int, ...]) -> Any:
    return np.cos(np.arange(np.prod(shape), dtype=float)).reshape(shape)


def _places(p: draw.Pooling, largest: bool) -> Any:
    """Images and the extremes of their windows, as whole numbers, which are not varied: one belongs to the other."""
    ranks = p.x.ravel().argsort().argsort().reshape(p.x.shape)
    extremes = (ops.max_pool2d if largest else ops.min_pool2d)(ranks.astype(float), **_pool(p))
    return ranks, extremes.astype(int)


def selected(side: int) -> st.SearchStrategy[Case]:
    return st.builds(
        lambda p, largest: ((_waves(p.x.shape), *_places(p, largest)), _pool(p)), draw.poolings(), st.booleans()
    )


def placed(side: int) -> st.SearchStrategy[Case]:
    return st.builds(
        lambda p, largest: ((_waves(_pooled_shape(p)), *_places(p, largest)), _pool(p)), draw.poolings(), st.booleans()
    )


def spread(side: int) -> st.SearchStrategy[Case]:
    return draw.poolings().map(lambda p: ((_waves(_pooled_shape(p)),), {"shape": p.x.shape, **_pool(p)}))


@st.composite
def repeated(draw_: st.DrawFn, side: int) -> Case:
    size = draw_(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return (draw_(draw.arrays(draw_(draw.shapes(min_dims=4, max_dims=4, min_side=side, max_side=3)))),), {"size": size}


@st.composite
def summed(draw_: st.DrawFn, side: int) -> Case:
    (x,), params = draw_(repeated(side))
    n, h, w, c = x.shape
    return (_waves((n, h * params["size"][0], w * params["size"][1], c)),), params


def window_sums(g: Any, *, size: Any) -> Any:
    n, h, w, c = g.shape
    return g.reshape(n, h // size[0], size[0], w // size[1], size[1], c).sum((2, 4))


def im2col(x: Any, *, size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    windows = reference.windows(x, size, stride, padding, dilation)
    return windows.reshape(windows.shape[0] * windows.shape[1] * windows.shape[2], -1)


def pool(reduce: Any, fill: float) -> Any:
    return lambda x, *, size, stride, padding: reduce(
        reference.windows(x, size, stride, padding, fill=fill), axis=(3, 4)
    )


def softmax(x: Any, axis: Any) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


def cross_entropy(logits: Any, target: Any) -> Any:
    return -(target * np.log(softmax(logits, -1))).sum(-1)


def cross_entropy_logits(g: Any, logits: Any, target: Any) -> Any:
    return g[..., None] * (softmax(logits, -1) * target.sum(-1, keepdims=True) - target)


def strided(x: Any) -> Any:
    """The same values, in memory that is neither contiguous nor in order."""
    wide = np.full(tuple(2 * n for n in x.shape[::-1]), np.asarray(77, x.dtype))
    view = wide[tuple(slice(None, None, -2) for _ in x.shape)].T if x.ndim else wide
    view[...] = x
    return view


ROWS = [
    Row(ops.add, two(), np.add),
    Row(ops.sub, two(), np.subtract),
    Row(ops.mul, two(), np.multiply),
    Row(ops.div, two(0.5, 2.0), np.divide),
    Row(ops.power, two(0.5, 2.0), np.power),
    Row(ops.remainder, between_jumps, np.remainder),
    Row(ops.neg, one(), np.negative),
    Row(ops.maximum, untied_pair, np.maximum),
    Row(ops.minimum, untied_pair, np.minimum),
    Row(ops.where, chosen, np.where),
    Row(ops.absolute, off_zero(), np.abs),
    Row(ops.sign, off_zero(), np.sign),
    Row(ops.exp, one(), np.exp),
    Row(ops.expm1, one(), np.expm1),
    Row(ops.log, one(0.3), np.log),
    Row(ops.log1p, one(-0.5), np.log1p),
    Row(ops.log2, one(0.3), np.log2),
    Row(ops.log10, one(0.3), np.log10),
    Row(ops.sqrt, one(0.3), np.sqrt),
    Row(ops.square, one(), np.square),
    Row(ops.sin, one(), np.sin),
    Row(ops.cos, one(), np.cos),
    Row(ops.tan, one(-1.0, 1.0), np.tan),
    Row(ops.arcsin, one(-0.8, 0.8), np.arcsin),
    Row(ops.arccos, one(-0.8, 0.8), np.arccos),
    Row(ops.arctan, one(-0.8, 0.8), np.arctan),
    Row(ops.sinh, one(), np.sinh),
    Row(ops.cosh, one(), np.cosh),
    Row(ops.tanh, one(), np.tanh),
    Row(ops.times_tanh_slope, two_of_one_shape(), lambda x, y: x * (1 - y * y)),
    Row(ops.erf, one(), special.erf),
    Row(ops.clip, off_zero(low=-0.1, high=0.3), lambda x, low, high: np.clip(x, low, high)),
    Row(
        ops.cast,
        lambda side: one()(side).map(lambda c: (c[0], {"dtype": c[0][0].dtype})),
        lambda x, dtype: x,
    ),
    Row(ops.copy, one(), np.copy),
    Row(ops.relu, off_zero(), lambda x: x * (x > 0)),
    Row(ops.where_positive, two_of_one_shape(), lambda x, y: x * (y > 0)),
    Row(ops.leaky_relu, off_zero(slope=0.1), lambda x, slope: np.where(x > 0, x, slope * x)),
    Row(ops.times_leaky_slope, two_of_one_shape(slope=-0.3), lambda x, y, slope: np.where(y > 0, x, slope * x)),
    Row(ops.elu, off_zero(alpha=1.5), lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1))),
    Row(ops.times_sigmoid_slope, two_of_one_shape(), lambda x, y: x * (y * (1 - y))),
    Row(ops.sigmoid, one(-5.0, 5.0), special.expit),
    Row(ops.softplus, one(-5.0, 5.0), lambda x: np.log(1 + np.exp(x))),
    Row(ops.gelu, one(), lambda x: x * special.ndtr(x)),
    Row(
        ops.times_gelu_slope,
        two_of_one_shape(),
        lambda x, y: x * (special.ndtr(y) + y * np.exp(-y * y / 2) / np.sqrt(2 * np.pi)),
    ),
    Row(ops.softmax, reducing(keepdims=False, least=1), softmax),
    Row(ops.log_softmax, reducing(keepdims=False, least=1), lambda x, axis: np.log(softmax(x, axis))),
    Row(ops.softmax_cross_entropy, logits_and_targets, cross_entropy),
    Row(ops.softmax_cross_entropy_logits, logits_and_targets_with_gradients, cross_entropy_logits),
    Row(ops.bounded_log, one(0.3), np.log),
    Row(
        ops.binary_cross_entropy,
        two(0.2, 0.8),
        lambda p, t: -(t * np.log(p) + (1 - t) * np.log(1 - p)),
    ),
    Row(ops.total, reducing(), np.sum),
    Row(ops.product, with_zeros, np.prod),
    Row(ops.largest, reducing(make=draw.distinct, empty=False), np.max),
    Row(ops.smallest, reducing(make=draw.distinct, empty=False), np.min),
    Row(
        ops.logsumexp,
        reducing(empty=False),
        lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis, keepdims=keepdims)),
    ),
    Row(
        ops.norm, reducing(make=draw.distinct), lambda x, axis, keepdims: np.sqrt(np.sum(x**2, axis, keepdims=keepdims))
    ),
    Row(ops.cumsum, along(), np.cumsum),
    Row(ops.matmul, matrices, np.matmul),
    Row(ops.affine, biased_matrices, lambda x, w, b, activation: activated(x @ w + b, activation)),
    Row(ops.einsum, contracted, lambda *xs, subscripts: np.einsum(subscripts, *xs)),
    Row(ops.reshape, reshaped, lambda x, shape: np.reshape(x, shape)),
    Row(ops.transpose, transposed, lambda x, axes: np.transpose(x, axes)),
    Row(ops.broadcast_to, stretched, np.broadcast_to),
    Row(ops.concatenate, joined, lambda *xs, axis: np.concatenate(xs, axis)),
    Row(ops.getitem, indexed, lambda x, index: x[index]),
    Row(ops.putitem, put, put_by_loop),
    Row(ops.take, taken, np.take),
    Row(ops.take_adjoint, untaken, untake_by_loop),
    Row(ops.pad, padded, lambda x, widths, constant: np.pad(x, widths, constant_values=constant) if x.ndim else x),
    Row(ops.flip, reducing(keepdims=False), np.flip),
    Row(ops.im2col, windowed, im2col, order=3),
    Row(ops.col2im, unwindowed, None, order=3),
    Row(ops.conv2d, convolved, reference.conv2d, order=3),
    Row(ops.conv2d_bias, biased, conv2d_bias, order=3),
    Row(ops.channel_sums, one_of_rank(1, 4), lambda x: x.sum(tuple(range(x.ndim - 1)))),
    Row(ops.channel_dots, of_one_shape_with_channels, lambda x, y: (x * y).sum(tuple(range(x.ndim - 1)))),
    Row(ops.batch_norm, normalized, batch_norm, order=3),
    Row(
        ops.batch_norm_activated,
        normalized_and_activated,
        lambda x, w, b, activation, **own: activated(batch_norm(x, w, b, **own), activation),
        order=3,
    ),
    Row(ops.batch_norm_input, normalized_input, None, order=3),
    Row(
        ops.batch_norm_weight,
        lambda side: normalized_input(side).map(lambda case: (case[0][:2], case[1])),
        lambda g, x, eps, moments: (g * batch_norm(x, 1, 0, eps, moments)).sum(tuple(range(x.ndim - 1))),
        order=3,
    ),
    Row(
        ops.layer_norm,
        lambda side: normalized(side).map(lambda case: (case[0], {"eps": 0.3})),
        lambda x, w, b, eps: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * w + b,
        order=3,
    ),
    Row(ops.spread_channels, per_channel_shape, np.broadcast_to),
    Row(ops.scale_channels, per_channel, np.multiply),
    Row(ops.shift_channels, per_channel, np.add),
    Row(ops.conv2d_input, convolved_input, None, order=3),
    Row(ops.conv2d_weight, convolved_weight, None, order=3),
    Row(ops.max_pool2d, pooled, pool(np.max, -np.inf), order=3),
    Row(ops.min_pool2d, pooled, pool(np.min, np.inf), order=3),
    Row(ops.avg_pool2d, pooled, pool(np.nanmean, np.nan), order=3),
    Row(ops.pool_select, selected, None, order=3),
    Row(ops.pool_place, placed, None, order=3),
    Row(ops.pool_spread, spread, None, order=3),
    Row(ops.repeat_pixels, repeated, lambda x, size: np.kron(x, np.ones((1, *size, 1))), order=3),
    Row(ops.window_sums, summed, window_sums, order=3),
]
