"""Sums of float16 are added in float32: in float16 they stop growing at 2,048 ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


def in_float32(function: F) -> F:
    """Let a function add up float16 numbers in float32; its result is float16 again.

    The sum of 33,000 twos is infinite in float16, but their mean is not. NumPy and PyTorch add in float32 too.
    """

    @wraps(function)
    def wide(x: Any, *args: Any, **kwargs: Any) -> Any:
        dtype = getattr(x, "dtype", None)
        if dtype is not None and not isinstance(dtype, np.dtype):  # of an array of another library, such as PyTorch's
            x = np.asarray(x)
            dtype = x.dtype
        if dtype is None or dtype.char != "e":
            return function(x, *args, **kwargs)
        return function(x.astype(np.float32), *args, **kwargs).astype(np.float16)

    return wide  # type: ignore[return-value]
