"""Compare gradients, of any order, with what the function itself does when its inputs are moved a little.

Order 1 is checked against the function. Order n is checked against order ``n - 1``, which has been checked by then.

An input x is moved along a direction d in two ways. *Central differences*, ``(f(x + h d) - f(x - h d)) / (2 h)``, hold
wherever the function is smooth, to about 9 digits, if the step is small beside x; so d has the size of x, element by
element. The *complex step*, ``imag(f(x + i h d)) / h`` with ``h = 1e-20``, has no cancellation and is right to the last
digits (Squire & Trapp 1998), but only where the function is analytic: it is wrong, unseen, about an ``abs``. So
differences say whether the function is analytic along d, and if it is, the complex step decides.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from tensorgrad import engine
from tensorgrad.derivatives import grad
from tensorgrad.recording import set_analytic
from tensorgrad.tensor import Array, Tensor

Method = Literal["auto", "complex", "difference"]
TOLERANCE = {"complex step": 1e-9, "central differences": 1e-7}
AGREEMENT = 1e-6  # of the two with one another
MOST_ELEMENTS = 1000  # of an input that a failure is looked for in, one by one


class GradientError(AssertionError):
    """A gradient is not what the function's own change says."""


def gradcheck(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 2,
    directions: int = 2,
    method: Method = "auto",
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Check the gradients of a function, at given inputs, in random directions.

    Parameters
    ----------
    f : callable
        From tensors to one tensor of any shape; a primitive, a function of primitives, or a layer.
    *inputs : array_like
        Where. Made float64; arrays of integers and booleans are handed to f as they are, and not varied. Keep
        away from kinks and ties, where a gradient is a matter of choice: ``strategies.distinct`` draws such values.
    order : int
        Up to which order.
    directions : int
        How many random directions per order.
    method : "auto", "complex" or "difference"
        The complex step where central differences bear it out, and they themselves elsewhere; or one of the two.
    tolerance : float, optional
        Relative to the sizes of the terms that are added up; by default 1e-9 for the complex step, 1e-7 for
        central differences.
    seed : int
        Of the random directions.

    Raises
    ------
    GradientError
        With the order, the input, the element and both values; or if a gradient has not its input's shape or dtype.

    """
    if order < 1:
        raise ValueError(f"gradcheck: order must be at least 1, received {order}")
    if method not in ("auto", "complex", "difference"):
        raise ValueError(f"gradcheck: unknown method {method!r}; known are 'auto', 'complex', 'difference'")
    check = _Check(f, inputs, np.random.default_rng(seed))
    for n in range(1, order + 1):
        for _ in range(directions):
            check.along_a_direction(n, method, tolerance)


class _Check:
    """A function, where to check it, and the random weights that make numbers of its outputs and gradients."""

    def __init__(self, f: Callable[..., Any], inputs: Sequence[Any], rng: np.random.Generator) -> None:
        self.f = f
        self.name = getattr(f, "name", None) or getattr(f, "__name__", None) or type(f).__name__
        self.rng = rng
        arrays = [x if _is_constant(x) else np.array(engine.value(x), dtype=np.float64) for x in inputs]
        self.inputs = arrays
        self.varied = [i for i, x in enumerate(arrays) if not _is_constant(x)]
        if not self.varied:
            raise ValueError(f"gradcheck: {self.name} has no floating input to differentiate by")
        y = self.call([Tensor(arrays[i]) for i in self.varied])
        if not isinstance(y, Tensor) or y.dtype.kind != "f":
            raise TypeError(f"gradcheck: {self.name} must return a floating Tensor; it returned {y!r}")
        again = self.call([Tensor(arrays[i]) for i in self.varied])
        if not np.array_equal(again.array, y.array, equal_nan=True):
            raise ValueError(
                f"gradcheck: {self.name} returned something else for the same inputs when it was called again; make it "
                "repeatable: draw random numbers outside of it, or from a generator that it seeds itself, as with rng=0"
            )
        # The weights of the output are varied too: at order 2, rules are differentiated by the gradient they receive.
        self.at = [arrays[i] for i in self.varied] + [self.direction(y.shape)]
        self.weights: list[list[Array]] = []

    def call(self, varied: Sequence[Tensor]) -> Tensor:
        args: list[Any] = list(self.inputs)
        for i, t in zip(self.varied, varied, strict=False):
            args[i] = t
        result: Tensor = self.f(*args)
        return result

    def direction(self, shape: tuple[int, ...]) -> Array:
        """Random numbers of which none is small: each element gets its say."""
        return np.asarray(self.rng.uniform(0.5, 1, shape) * self.rng.choice([-1.0, 1.0], shape))

    def number(self, at: Sequence[Array], order: int) -> tuple[Tensor, list[Tensor]]:
        """What order `order` differentiates: the weighted output, or the weighted gradients of the order before."""
        tensors = [_leaf(x) for x in at]
        s = (self.call(tensors[:-1]) * tensors[-1]).sum()
        for n in range(order - 1):
            while len(self.weights) <= n:
                self.weights.append([self.direction(x.shape) for x in self.at])
            gradients = self.gradients(s, tensors)
            s = sum(
                ((g * v).sum() for g, v in zip(gradients, self.weights[n], strict=True)), start=Tensor(0 * at[-1].sum())
            )
        return s, tensors

    def gradients(self, s: Tensor, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        if not s.requires_grad:
            return [x * 0 for x in tensors]
        return grad(s, tensors, create_graph=True, allow_unused=True)

    def along_a_direction(self, order: int, method: Method, tolerance: float | None) -> None:
        s, tensors = self.number(self.at, order)
        gradients = [g.array for g in self.gradients(s, tensors)]
        for i, (g, x) in enumerate(zip(gradients, self.at, strict=True)):
            if g.shape != x.shape or g.dtype != x.dtype:
                raise GradientError(
                    f"{self.name}, order {order}, by {self.title(i)}: expected a gradient of shape {x.shape} and "
                    f"{x.dtype}, received shape {g.shape} and {g.dtype}"
                )
        d = [self.direction(x.shape) for x in self.at]
        moved, how, along = self.moved(order, d, method)
        terms = np.concatenate([np.ravel(g * v) for g, v in zip(gradients, along, strict=True)])
        if not self.close(terms.sum(), moved, np.abs(terms).sum(), tolerance or TOLERANCE[how], along):
            raise GradientError(
                self.kink(order)
                or self.plainly(order, method, tolerance)
                or self.worst(order, method, tolerance)[1]
                or f"{self.name}, order {order}: along a random direction the output changes by {moved} according to "
                f"{how}, and by {terms.sum()} according to the rules; no element is off by itself"
            )

    def close(self, a: float, b: float, size: float, tolerance: float, along: Sequence[Array]) -> bool:
        """Whether two slopes agree, relative to the sizes of their terms and, near 0, to how far the inputs move."""
        reach = max(np.abs(v).max(initial=0.0) for v in along[:-1])  # the last is that of the output's weights
        return bool(abs(a - b) <= tolerance * (size + abs(b) + 1e-3 * reach))

    def moved(self, order: int, d: Sequence[Array], method: Method) -> tuple[float, str, Sequence[Array]]:
        """How the number changes along a direction, how that was found out, and the direction: d, or d of x's size."""
        if method == "complex":
            return self.complex_step(order, d), "complex step", d
        sized = [v * np.where(x == 0, 1.0, np.abs(x)) for v, x in zip(d, self.at, strict=True)]
        best = []
        for along in (sized, d):  # d itself for functions of distances between large inputs, as logsumexp
            step = np.nan if method == "difference" else self.complex_step(order, along)
            for difference in self.central_differences(order, along):
                if abs(step - difference) <= AGREEMENT * abs(difference):
                    return step, "complex step", along
            best.append(difference)
            if np.isnan(step):  # along the other one too
                break
        return best[0], "central differences", sized

    def central_differences(self, order: int, d: Sequence[Array], h: float = 1e-5) -> Iterator[float]:
        """First of one step; then, to more digits, of two, so that the error of order h^2 cancels (Richardson 1911)."""
        rough = self.slope(order, d, h)
        yield rough
        yield (4 * self.slope(order, d, h / 2) - rough) / 3

    def slope(self, order: int, d: Sequence[Array], h: float) -> float:
        ahead, behind = (
            self.number([x + e * v for x, v in zip(self.at, d, strict=True)], order)[0].item() for e in (h, -h)
        )
        return float(ahead - behind) / (2 * h)

    def complex_step(self, order: int, d: Sequence[Array], h: float = 1e-20) -> float:
        """NaN, which agrees with nothing, where complex numbers are refused."""
        try:
            with warnings.catch_warnings(), set_analytic(True):
                warnings.simplefilter("error")
                s, _ = self.number([x + 1j * h * v for x, v in zip(self.at, d, strict=True)], order)
        except Exception:  # whatever a function that was made for real numbers may say
            return np.nan
        return float(s.item().imag) / h

    def kink(self, order: int, h: float = 1e-6) -> str:
        """Where the slopes on both sides of an element differ, in words; "" if they differ nowhere."""
        here = self.number(self.at, order)[0].item()
        for i, x in enumerate(self.at[:-1]):
            for place in np.ndindex(x.shape if x.size <= MOST_ELEMENTS else (0,)):
                step = h * min(np.abs(x[place]) or 1.0, 1.0)
                sides = []
                for e in (-step, step):
                    moved = [np.array(each) for each in self.at]
                    moved[i][place] += e
                    sides.append((self.number(moved, order)[0].item() - here) / e)
                if abs(sides[1] - sides[0]) > 1e-3 * (abs(sides[0]) + abs(sides[1])) + 1e-9 * abs(here) / step:
                    at = f", element {tuple(map(int, place))}" if place else ""
                    return (
                        f"{self.name}, order {order}, by {self.title(i)}{at}: there is a kink, with other slopes "
                        "before and after it, where the gradient is a matter of choice; check at other values, such as "
                        "strategies.distinct draws"
                    )
        return ""

    def plainly(self, order: int, method: Method, tolerance: float | None) -> str:
        """Where the gradient of the plain sum of the output is furthest off, if it is: the easiest to read."""
        weights = self.at[-1], self.weights
        self.at[-1] = np.ones_like(self.at[-1])
        self.weights = [[np.ones_like(x) for x in self.at] for _ in weights[1]]
        _, text = self.worst(order, method, tolerance)
        self.at[-1], self.weights = weights
        return text

    def worst(self, order: int, method: Method, tolerance: float | None) -> tuple[float, str]:
        """How far the gradient of the worst element is off, and the same in words; 0 and "" if none is."""
        s, tensors = self.number(self.at, order)
        worst = 0.0, ""
        for i, g in enumerate(self.gradients(s, tensors)):
            for at in self.suspects(i, g.array, order, method):
                off, got, moved, how = self.off(i, g.array, np.array([at]), order, method)
                if off > worst[0] and not abs(got - moved) <= (tolerance or TOLERANCE[how]) * (abs(got) + abs(moved)):
                    index = tuple(int(n) for n in np.unravel_index(at, g.shape))
                    place = f", element {index}" if g.ndim else ""
                    said, right = (f"{got:.9g}", f"{moved:.9g}") if f"{got:.9g}" != f"{moved:.9g}" else (got, moved)
                    worst = (
                        off,
                        (
                            f"{self.name}, order {order}, by {self.title(i)}{place}: the gradient is {said} "
                            f"according to the rules, and {right} according to {how}"
                        ),
                    )
        return worst

    def suspects(self, i: int, gradient: Array, order: int, method: Method) -> Array:
        """The elements of an input to look at one by one: of many, the part that is off most as a whole."""
        places = np.arange(gradient.size)
        while len(places) > MOST_ELEMENTS:
            places = max(np.array_split(places, 2), key=lambda half: self.off(i, gradient, half, order, method)[0])
        return places

    def off(
        self, i: int, gradient: Array, places: Array, order: int, method: Method
    ) -> tuple[float, float, float, str]:
        """How far the gradient is off along some elements of an input; what it says, what is right, and says who."""
        d = [np.zeros(x.shape) for x in self.at]
        np.put(d[i], places, self.direction(places.shape) if len(places) > 1 else 1.0)
        moved, how, along = self.moved(order, d, method)
        got = float(np.take(gradient, places) @ np.take(along[i], places))
        if len(places) == 1:  # per unit of the element, as a derivative is
            got, moved = got / np.take(along[i], places).item(), moved / np.take(along[i], places).item()
        return float(np.nan_to_num(abs(got - moved), nan=np.inf)), got, moved, how

    def title(self, i: int) -> str:
        return f"input {self.varied[i]}" if i < len(self.varied) else "the gradient that it receives"


def _leaf(x: Array) -> Tensor:
    """A leaf that records, also of complex numbers, for which the rules are right where functions are analytic."""
    leaf = Tensor(x)
    leaf.needs_grad = True
    return leaf


def _is_constant(x: Any) -> bool:
    return isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "iub"
