"""Labels given by name: strings, and the categories of data frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.checks import check_unmasked


def numbered(given: Any, classes: Sequence[str], owner: str) -> Any:
    """Names as their places in `classes`, as an array of int64; what is not made of strings alone comes back as it is.

    Raises
    ------
    TypeError
        If the classes have no names.
    ValueError
        If a name is not among them.
    """
    check_unmasked(given, owner, "Y")
    try:
        array = np.asarray(given)
    except ValueError:  # not rectangular; the check for numbers has a better message
        return given
    if array.dtype.kind not in "UTO":
        return array if array.dtype.kind in "fiub" else given
    if not array.size or not all(isinstance(name, str) for name in array.flat):
        return given
    if not classes:
        raise TypeError(
            f"{owner}: Y must be numbers, received names such as {str(array.flat[0])!r}; set model.classes to the "
            "names, in the order of the outputs, or number them, np.unique(Y, return_inverse=True)[1]; "
            "np.array(Y, dtype=float) reads numbers that are written out"
        )
    names, back = np.unique(array.astype(object), return_inverse=True)
    place = {name: i for i, name in enumerate(classes)}
    numbers = np.array([place.get(name, -1) for name in names.tolist()], np.int64)[back].reshape(array.shape)
    if (numbers < 0).any():
        first = np.argwhere(numbers < 0)[0]
        raise ValueError(
            f"{owner}: Y holds {str(array[tuple(first)])!r} at sample {first[0]}, which is not among model.classes: "
            f"{', '.join(classes)}; leave such samples out, or train a model that has the class"
        )
    return numbers
