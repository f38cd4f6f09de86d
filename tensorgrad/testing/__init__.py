"""For the tests of operations, ours and yours: :func:`gradcheck`, and strategies for hypothesis.

A primitive of your own, with a rule that has a mistake in it, and what one line finds out about it:

>>> import numpy as np
>>> import tensorgrad
>>> @tensorgrad.primitive
... def cube(x):
...     return x**3
>>> cube.rules(lambda g, y, x: g * 2 * x**2)
>>> tensorgrad.testing.gradcheck(cube, [1.0, -2.0])
Traceback (most recent call last):
    ...
tensorgrad.testing.checker.GradientError: cube, order 1, by input 0, element (1,): the gradient is 8 according to \
the rules, and 12 according to complex step

With the mistake mended, it passes at order 1, at order 2, and, since it was asked for, at order 3:

>>> cube.rules(lambda g, y, x: g * 3 * x**2)
>>> tensorgrad.testing.gradcheck(cube, [1.0, -2.0], order=3)

``tensorgrad.testing.strategies`` draws the inputs; it needs hypothesis, which nothing else here does.
"""

from tensorgrad.testing.checker import GradientError, gradcheck

__all__ = ["GradientError", "gradcheck"]


def __dir__() -> list[str]:
    return sorted([*__all__, "strategies"])
