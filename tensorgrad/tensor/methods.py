"""The mathematics of one tensor, under NumPy's and PyTorch's names: each method a line or two of primitives.

:mod:`tensorgrad.functional` has the same as functions, and those of several tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import prod, sqrt
from types import FunctionType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from tensorgrad import engine, ops
from tensorgrad.checks import Axis, axes, brief, ints, one_axis, real
from tensorgrad.kernels.half import in_float32
from tensorgrad.recording import analytic
from tensorgrad.signatures import parameters
from tensorgrad.tensor import promotion
from tensorgrad.vocabulary import speaks

T = TypeVar("T", bound=engine.Traced)
C = TypeVar("C")


def _speaking_of_axes(kind: type[C]) -> type[C]:
    """Let the methods that take an axis know PyTorch's words for it."""
    for name, method in list(vars(kind).items()):
        if isinstance(method, FunctionType) and "axis" in parameters(method)[0]:
            setattr(kind, name, speaks(name)(method))
    return kind


@_speaking_of_axes
class Methods(engine.Traced):
    """The mathematics of :class:`tensorgrad.Tensor`."""

    __slots__ = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self.array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.array.size

    def copy(self) -> Self:
        """The same values in memory of their own, in the graph."""
        return ops.copy(self)

    clone = copy

    def astype(self, dtype: npt.DTypeLike) -> Self:
        """The values in another dtype, in the graph; the tensor itself if it has that dtype."""
        wanted = np.dtype(dtype)
        if wanted.kind not in "fciub":
            raise TypeError(f"astype: expected a dtype of numbers, received {wanted}")
        return self if self.dtype == wanted else ops.cast(self, dtype=wanted)

    def floating(self) -> Self:
        """Integers and booleans as float32; anything else as it is."""
        return self if self.array.dtype.kind in "fc" else self.astype(promotion.DEFAULT_DTYPE)

    # -- element by element --------------------------------------------------------------------------------

    def exp(self) -> Self:
        """The exponential of each element, ``e^x``."""
        return ops.exp(self.floating())

    def expm1(self) -> Self:
        """The exponential of each element, minus 1, exact near 0: ``e^x - 1``."""
        return ops.expm1(self.floating())

    def log(self) -> Self:
        """The natural logarithm of each element."""
        return ops.log(self.floating())

    def log1p(self) -> Self:
        """The natural logarithm of 1 plus each element, exact near 0."""
        return ops.log1p(self.floating())

    def log2(self) -> Self:
        """The logarithm to base 2 of each element."""
        return ops.log2(self.floating())

    def log10(self) -> Self:
        """The logarithm to base 10 of each element."""
        return ops.log10(self.floating())

    def sqrt(self) -> Self:
        """The square root of each element; its slope at 0 is infinite (see :func:`tensorgrad.where`)."""
        return ops.sqrt(self.floating())

    def square(self) -> Self:
        """The square of each element."""
        return ops.square(self)

    def abs(self) -> Self:
        """The absolute value of each element; the gradient at 0 is 0."""
        return ops.absolute(self)

    def sign(self) -> Self:
        """-1, 0 or 1: the sign of each element; the gradient is 0 everywhere."""
        return ops.sign(self)

    def sin(self) -> Self:
        """The sine of each element."""
        return ops.sin(self.floating())

    def cos(self) -> Self:
        """The cosine of each element."""
        return ops.cos(self.floating())

    def tan(self) -> Self:
        """The tangent of each element."""
        return ops.tan(self.floating())

    def arcsin(self) -> Self:
        """The angle in [-pi/2, pi/2] with each element, in [-1, 1], as its sine."""
        return ops.arcsin(self.floating())

    def arccos(self) -> Self:
        """The angle in [0, pi] with each element, in [-1, 1], as its cosine."""
        return ops.arccos(self.floating())

    def arctan(self) -> Self:
        """The angle between ``-pi / 2`` and ``pi / 2`` with each element as its tangent."""
        return ops.arctan(self.floating())

    def sinh(self) -> Self:
        """The hyperbolic sine of each element."""
        return ops.sinh(self.floating())

    def cosh(self) -> Self:
        """The hyperbolic cosine of each element."""
        return ops.cosh(self.floating())

    def tanh(self) -> Self:
        """The hyperbolic tangent of each element."""
        return ops.tanh(self.floating())

    def erf(self) -> Self:
        """The error function of each element: ``2 / sqrt(pi)`` times the integral of ``e^(-t^2)`` from 0 to x."""
        return ops.erf(self.floating())

    def sigmoid(self) -> Self:
        """``1 / (1 + e^-x)`` of each element x."""
        return ops.sigmoid(self.floating())

    def relu(self) -> Self:
        """The larger of each element and 0; the gradient at 0 is 0."""
        return ops.relu(self)

    def maximum(self, other: object) -> Self:
        """The larger of each element and its partner in `other`; equal ones take half of the gradient each."""
        return promotion.both(ops.maximum, self, other)

    def minimum(self, other: object) -> Self:
        """The smaller of each element and its partner in `other`; equal ones take half of the gradient each."""
        return promotion.both(ops.minimum, self, other)

    def where(self, condition: Any, other: object) -> Self:
        """Each element where the condition holds, `other` elsewhere; the condition has no gradient."""
        chosen = np.array(engine.value(condition), dtype=bool)
        return promotion.both(partial(ops.where, chosen), self, other)

    def pow(self, exponent: object) -> Self:
        """Each element to the power of `exponent`; see :func:`tensorgrad.power`."""
        return promotion.both(ops.power, self, exponent)

    def matmul(self, other: object) -> Self:
        """The matrix product, as ``numpy.matmul`` has it: 1-d operands are vectors, leading axes broadcast."""
        return promotion.both(promotion.matmul, self, other)

    def clip(self, low: float | None = None, high: float | None = None) -> Self:
        """Each element, but at least `low` and at most `high`; at a bound the gradient passes through."""
        if low is not None and high is not None and low > high:
            raise ValueError(f"clip: low must not be above high, received low={low!r} and high={high!r}")
        if any(isinstance(bound, float) for bound in (low, high)):
            return ops.clip(self.floating(), low=low, high=high)
        return ops.clip(self, low=low, high=high)

    @in_float32
    def softmax(self, axis: Axis = -1) -> Self:
        """``e^x / sum(e^x)`` over the axis, or axes: positive, and adding up to 1."""
        return ops.softmax(self.floating(), axis=axes(axis, self.ndim, "softmax"))

    @in_float32
    def log_softmax(self, axis: Axis = -1) -> Self:
        """The logarithm of softmax, computed without overflow."""
        return ops.log_softmax(self.floating(), axis=axes(axis, self.ndim, "log_softmax"))

    # -- reductions ----------------------------------------------------------------------------------------

    def sum(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The sum over the axes, or over all."""
        return ops.total(self, axis=axes(axis, self.ndim, "sum"), keepdims=keepdims)

    @in_float32
    def mean(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The mean over the axes, or over all."""
        over, count = self._some(axis, "mean")
        return promotion.divide(ops.total(self.floating(), axis=over, keepdims=keepdims), count)

    @in_float32
    def var(self, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Self:
        """The variance over the axes: the squared distances from the mean, divided by ``count - ddof``."""
        real(ddof, "var", "ddof")
        over, count = self._some(axis, "var", ddof)
        away = _modulus(self._centred(over))
        return promotion.divide(ops.total(ops.square(away), axis=over, keepdims=keepdims), count - ddof)

    @in_float32
    def std(self, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Self:
        """The standard deviation over the axes, the square root of the variance; the gradient at 0 is 0."""
        real(ddof, "std", "ddof")
        over, count = self._some(axis, "std", ddof)
        away = _modulus(self._centred(over))
        return promotion.divide(ops.norm(away, axis=over, keepdims=keepdims), sqrt(count - ddof))

    def max(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The largest element over the axes; equal ones share the gradient."""
        return ops.largest(self, axis=self._some(axis, "max")[0], keepdims=keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The smallest element over the axes; equal ones share the gradient."""
        return ops.smallest(self, axis=self._some(axis, "min")[0], keepdims=keepdims)

    def _centred(self, over: tuple[int, ...]) -> Self:
        return promotion.binary(ops.sub, self, self.mean(over, keepdims=True))

    def _some(self, axis: Axis, name: str, ddof: int = 0) -> tuple[tuple[int, ...], int]:
        """The axes, and how many elements there are along them: there must be some."""
        over = axes(axis, self.ndim, name)
        count = prod(self.shape[a] for a in over)
        if count <= ddof:
            more = f", and ddof={ddof} asks for more" if ddof else ""
            raise ValueError(f"{name}: the shape {self.shape} has {count} elements over axis={axis}{more}")
        return over, count

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The product over the axes, or over all; its gradient is right with any number of zeros."""
        return ops.product(self, axis=axes(axis, self.ndim, "prod"), keepdims=keepdims)

    @in_float32
    def logsumexp(self, axis: Axis = None, keepdims: bool = False) -> Self:
        """The logarithm of ``sum(e^x)`` over the axes, without overflow."""
        return ops.logsumexp(self.floating(), axis=axes(axis, self.ndim, "logsumexp"), keepdims=keepdims)

    @in_float32
    def norm(self, ord: float = 2, axis: Axis = None, keepdims: bool = False) -> Self:
        """The norm over the axes: ``(sum |x|^ord)^(1 / ord)``, or ``max |x|`` for infinity. Its gradient at 0 is 0."""
        x, over = _modulus(self.floating()), axes(axis, self.ndim, "norm")
        if ord == 2:
            return ops.norm(x, axis=over, keepdims=keepdims)
        if ord == 1:
            return x.abs().sum(over, keepdims)
        if ord == np.inf:
            return x.abs().max(over, keepdims)
        if not isinstance(ord, int | float | np.number) or not ord > 0:
            raise ValueError(f"norm: ord must be positive, or inf; received {brief(ord)}")
        powers: Any = ops.power(x.abs(), ord).sum(over, keepdims)
        empty = powers.array == 0  # where the root has an infinite slope
        root: Self = ops.where(empty, 0.0, ops.power(ops.where(empty, 1.0, powers), 1 / ord))
        return root

    def cumsum(self, axis: int | None = None) -> Self:
        """The running sum along the axis; of all elements, row-major, if there is none."""
        if axis is None:
            return ops.cumsum(self.flatten(), axis=0)
        return ops.cumsum(self, axis=one_axis(axis, self.ndim, "cumsum"))

    def sort(self, axis: int | None = -1) -> Self:
        """The elements in rising order along the axis, or all of them, row-major; equal ones keep their order."""
        if axis is None:
            return self.flatten().sort()
        along = one_axis(axis, self.ndim, "sort")
        order = self.array.argsort(axis=along, kind="stable")
        grid = np.ogrid[tuple(slice(n) for n in self.shape)]
        return ops.getitem(self, index=tuple(order if a == along else grid[a] for a in range(self.ndim)))

    # -- answers that have no gradient: plain arrays ---------------------------------------------------------

    def argmax(self, axis: int | None = None) -> Any:
        """Where the largest element is, the first of equal ones: a plain array, which has no gradient."""
        self._some(axis, "argmax")
        return self.array.argmax(axis=axis if axis is None else one_axis(axis, self.ndim, "argmax"))

    def argmin(self, axis: int | None = None) -> Any:
        """Where the smallest element is, the first of equal ones: a plain array, which has no gradient."""
        self._some(axis, "argmin")
        return self.array.argmin(axis=axis if axis is None else one_axis(axis, self.ndim, "argmin"))

    def argsort(self, axis: int = -1) -> Any:
        """The indices that :meth:`sort` takes in order: a plain array, which has no gradient."""
        return self.array.argsort(axis=one_axis(axis, self.ndim, "argsort"), kind="stable")

    def any(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Whether any element over the axes is not 0: a plain array, which has no gradient."""
        return self.array.any(axis=axes(axis, self.ndim, "any"), keepdims=keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Any:
        """Whether all elements over the axes are not 0: a plain array, which has no gradient."""
        return self.array.all(axis=axes(axis, self.ndim, "all"), keepdims=keepdims)

    # -- shape ---------------------------------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Self:
        """The elements, row-major, in another shape; one -1 is worked out. Ints, or one tuple of them."""
        return ops.reshape(self, shape=promotion.whole_shape(shape, self.size, self.shape))

    def flatten(self) -> Self:
        """The elements, row-major, along one axis."""
        return self.reshape(self.size)

    ravel = flatten

    def transpose(self, *order: Any) -> Self:
        """The axes in another order; reversed if none is given. Ints, or one tuple of them."""
        wanted = order[0] if len(order) == 1 and not isinstance(order[0], int | np.integer) else order
        if wanted is None or not len(order):
            wanted = range(self.ndim)[::-1]
        found = tuple(one_axis(a, self.ndim, "transpose") for a in wanted)
        if sorted(found) != list(range(self.ndim)):
            raise ValueError(f"transpose: expected each of the {self.ndim} axes once, received {tuple(wanted)}")
        return ops.transpose(self, axes=found)

    @property
    def T(self) -> Self:
        """The axes in reverse order."""
        return self.transpose()

    @property
    def mT(self) -> Self:
        """The last two axes exchanged."""
        return self.swapaxes(-2, -1)

    def swapaxes(self, first: int, second: int) -> Self:
        """Two axes exchanged."""
        a, b = (one_axis(axis, self.ndim, "swapaxes") for axis in (first, second))
        order = list(range(self.ndim))
        order[a], order[b] = b, a
        return ops.transpose(self, axes=tuple(order))

    def moveaxis(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Self:
        """The axes at `source` moved to `destination`; the others keep their order."""
        pairs = [list(a) if isinstance(a, Sequence) else [a] for a in (source, destination)]
        come, go = ([one_axis(a, self.ndim, "moveaxis") for a in given] for given in pairs)
        if len(come) != len(go) or len(set(come)) != len(come) or len(set(go)) != len(go):
            raise ValueError(
                f"moveaxis: expected one destination per source, each once; received {source}, {destination}"
            )
        order = [a for a in range(self.ndim) if a not in come]
        for place, axis in sorted(zip(go, come, strict=True)):
            order.insert(place, axis)
        return ops.transpose(self, axes=tuple(order))

    def squeeze(self, axis: Axis = None) -> Self:
        """Without the axes of length 1, or without those named."""
        over = axes(axis, self.ndim, "squeeze")
        if axis is None:
            over = tuple(a for a in over if self.shape[a] == 1)
        if any(self.shape[a] != 1 for a in over):
            raise ValueError(f"squeeze: axis {axis} of shape {self.shape} is not of length 1")
        return ops.reshape(self, shape=tuple(n for a, n in enumerate(self.shape) if a not in over))

    def expand_dims(self, axis: int | tuple[int, ...]) -> Self:
        """With new axes of length 1 at the given places of the result."""
        given = axis if isinstance(axis, tuple) else (axis,)
        ndim = self.ndim + len(given)
        new = axes(given, ndim, "expand_dims")
        old = iter(self.shape)
        return ops.reshape(self, shape=tuple(1 if a in new else next(old) for a in range(ndim)))

    def broadcast_to(self, shape: Sequence[int]) -> Self:
        """Repeated along new axes and axes of length 1, without a copy."""
        wanted = tuple(shape)
        if len(wanted) < self.ndim or any(
            n not in (1, m) for n, m in zip(self.shape[::-1], wanted[::-1], strict=False)
        ):
            raise ValueError(
                f"broadcast_to: the shape {self.shape} does not become {wanted}; counted from the last axis, "
                "lengths must be equal, or 1 here"
            )
        return ops.broadcast_to(self, shape=wanted)

    # -- parts and repetitions -------------------------------------------------------------------------------

    def __getitem__(self, index: Any) -> Self:
        return ops.getitem(self, index=promotion.plain_index(index))

    def take(self, indices: Any, axis: int | None = None) -> Self:
        """The slices at the indices, along one axis; single elements, row-major, if there is none."""
        if axis is None:
            return self.flatten().take(indices, 0)
        along = one_axis(axis, self.ndim, "take")
        chosen = np.array(engine.value(indices))
        if chosen.dtype.kind not in "iu" and chosen.size:
            raise TypeError(f"take: expected integers, received {chosen.dtype}")
        size = self.shape[along]
        if chosen.size and not (-size <= chosen.min() and chosen.max() < size):
            raise IndexError(
                f"take: indices must lie in {-size} to {size - 1}; received {chosen.min()} to {chosen.max()}"
            )
        flat = chosen.astype(int).reshape(-1) % max(size, 1)
        found = ops.take(self, indices=flat, axis=along)
        shape = (*self.shape[:along], *chosen.shape, *self.shape[along + 1 :])
        return found if chosen.ndim == 1 else ops.reshape(found, shape=shape)

    def split(self, parts: int | Sequence[int], axis: int = 0) -> list[Self]:
        """Cut along an axis: into that many equal parts, or before each given index."""
        along = one_axis(axis, self.ndim, "split")
        size = self.shape[along]
        given = ints(parts, "split", "parts")
        cuts = [0, *given, size]
        if np.ndim(parts) == 0:
            (count,) = given
            if count < 1 or size % count:
                raise ValueError(f"split: axis {along} of length {size} has no {count} equal parts")
            cuts = [size // count * i for i in range(count + 1)]
        whole = (slice(None),) * along
        return [self[(*whole, slice(a, b))] for a, b in pairwise(cuts)]

    def flip(self, axis: Axis = None) -> Self:
        """In reverse order along the axes, or along all."""
        return ops.flip(self, axis=axes(axis, self.ndim, "flip"))

    def roll(self, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Self:
        """Shifted along the axis, around its end; without an axis, shifted row-major."""
        if axis is None:
            return self.flatten().roll(shift, 0).reshape(self.shape)
        along = tuple(axis) if isinstance(axis, Sequence) else (axis,)
        rolled = self
        for a, s in np.broadcast(along, ints(shift, "roll", "shift")):
            place = one_axis(a, self.ndim, "roll")
            size = self.shape[place]
            rolled = ops.take(rolled, indices=(np.arange(size) - s) % max(size, 1), axis=place)
        return rolled

    def repeat(self, repeats: int | Sequence[int], axis: int | None = None) -> Self:
        """Each element of the axis several times in a row: `repeats` times, or by its own entry of `repeats`."""
        if axis is None:
            return self.flatten().repeat(repeats, 0)
        along = one_axis(axis, self.ndim, "repeat")
        size = self.shape[along]
        counts = np.asarray(repeats)
        if counts.dtype.kind not in "iu" or counts.shape not in ((), (1,), (size,)) or (counts < 0).any():
            raise ValueError(f"repeat: expected a count, or one for each of {size} slices; received {brief(repeats)}")
        return ops.take(self, indices=np.repeat(np.arange(size), counts), axis=along)

    def tile(self, reps: int | Sequence[int]) -> Self:
        """The whole tensor several times along each axis, like ``numpy.tile``."""
        times = ints(reps, "tile", "reps")
        if any(count < 0 for count in times):
            raise ValueError(f"tile: expected a count, or a sequence of counts, of at least 0; received {brief(reps)}")
        ndim = max(self.ndim, len(times))
        times = (1,) * (ndim - len(times)) + times
        shape = (1,) * (ndim - self.ndim) + self.shape
        spread = self.reshape(tuple(n for size in shape for n in (1, size)))
        spread = spread.broadcast_to(tuple(n for count, size in zip(times, shape, strict=True) for n in (count, size)))
        return spread.reshape(tuple(count * size for count, size in zip(times, shape, strict=True)))


def _modulus(x: T) -> T:
    """|x| of complex numbers; real numbers unchanged, since they are squared next."""
    return ops.absolute(x) if x.array.dtype.kind == "c" and not analytic() else x
