"""Functions of one tensor are made from the methods that compute them: one definition, one docstring."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from tensorgrad.tensor import Tensor, TensorLike, as_tensor
from tensorgrad.tensor.numpy_protocol import implements

P = ParamSpec("P")
R = TypeVar("R")


def of_method(
    method: Callable[Concatenate[Tensor, P], R], *numpys: Callable[..., object], **words: str
) -> Callable[Concatenate[TensorLike, P], R]:
    """Make a function from a method of Tensor, which then takes arrays and numbers too.

    Parameters
    ----------
    method : callable
        Such as ``Tensor.sum``, whose name, parameters and docstring the function gets.
    numpys : callable
        NumPy's functions that do the same, and that call this one when they are given a tensor.
    words : str
        NumPy's names of parameters, and ours for them, as :func:`~tensorgrad.tensor.numpy_protocol.implements` has it.

    """

    def function(x: TensorLike, *args: P.args, **kwargs: P.kwargs) -> R:
        return method(as_tensor(x), *args, **kwargs)

    found = inspect.signature(method)
    self, *others = found.parameters.values()
    function.__signature__ = found.replace(  # type: ignore[attr-defined]
        parameters=[self.replace(name="x", annotation="TensorLike"), *others],
        return_annotation=found.return_annotation.replace("Self", "Tensor"),
    )
    function.__name__ = function.__qualname__ = method.__name__
    function.__doc__ = method.__doc__
    function.__module__ = "tensorgrad.functional"
    return implements(*numpys, **words)(function)  # type: ignore[return-value]  # x by name too, as no ParamSpec can say
