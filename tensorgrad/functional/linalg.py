"""Products of matrices, vectors and higher tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tensorgrad import ops
from tensorgrad.checks import brief, one_axis, one_of
from tensorgrad.functional.activations import ACTIVATIONS, ending
from tensorgrad.tensor import Tensor, TensorLike, as_tensor, promotion
from tensorgrad.tensor.numpy_protocol import implements

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"  # that an index of einsum can be

__all__ = ["affine", "dot", "einsum", "matmul", "outer", "tensordot"]


@implements(np.matmul)
def matmul(x: TensorLike, y: TensorLike) -> Tensor:
    """The matrix product, like ``numpy.matmul``: 1-d operands are vectors, leading axes broadcast."""
    return promotion.matmul(as_tensor(x), as_tensor(y))


def affine(x: TensorLike, w: TensorLike, b: TensorLike | None = None, *, activation: str | None = None) -> Tensor:
    """What a fully connected layer computes: ``activation(x @ w + b)``.

    Parameters
    ----------
    x : array_like, shape=(..., inputs)
    w : array_like, shape=(inputs, units)
    b : array_like, shape=(units,), optional
    activation : str, optional
        A name from ``ACTIVATIONS``. With a bias, activations that have a ``last_step`` are applied in place, which
        saves the memory of a second result.

    Returns
    -------
    Tensor, shape=(..., units)

    Raises
    ------
    ValueError
        If the shapes do not match, or the activation is unknown.

    """
    if activation is not None:
        one_of(activation, ACTIVATIONS, "affine", "activation")
    inputs, weights, *biases = same_dtype(x, w, *(() if b is None else (b,)))
    if weights.ndim != 2 or inputs.shape[-1:] != weights.shape[:1]:
        raise ValueError(
            "affine: expected x of shape (..., inputs) and w of shape (inputs, units); "
            f"received {inputs.shape} and {weights.shape}"
        )
    if not biases:
        y = matmul(inputs, weights)
        return y if activation is None else ACTIVATIONS[activation].function(y)
    if biases[0].shape != weights.shape[1:]:
        raise ValueError(
            f"affine: expected a bias of shape {weights.shape[1:]}, one per unit; received shape {biases[0].shape}"
        )
    rows = inputs if inputs.ndim == 2 else inputs.reshape(-1, *weights.shape[:1])
    last_step, rest = ending(activation)
    y = ops.affine(rows, weights, biases[0], activation=last_step)
    y = y if inputs.ndim == 2 else y.reshape(*inputs.shape[:-1], *weights.shape[1:])
    return y if rest is None else rest(y)


@implements(np.dot, b="y")
def dot(x: TensorLike, y: TensorLike) -> Tensor:
    """The sum of products over the last axis of x and the last but one of y, like ``numpy.dot``."""
    a, b = as_tensor(x), as_tensor(y)
    if not (a.ndim and b.ndim):
        return a * b
    return tensordot(a, b, ((a.ndim - 1,), (max(b.ndim - 2, 0),)))


@implements(np.outer, b="y")
def outer(x: TensorLike, y: TensorLike) -> Tensor:
    """The product of every element of x with every element of y, a matrix."""
    return as_tensor(x).reshape(-1, 1) * as_tensor(y).reshape(1, -1)


@implements(np.tensordot, b="y")
def tensordot(x: TensorLike, y: TensorLike, axes: int | Sequence[int | Sequence[int]] = 2) -> Tensor:
    """The sum of products over pairs of axes, like ``numpy.tensordot``.

    Parameters
    ----------
    x, y : array_like
    axes : int, or a pair of ints or of sequences of ints
        How many last axes of x to pair with the first of y; or the axes of x, and those of y.

    """
    a, b = as_tensor(x), as_tensor(y)
    if isinstance(axes, int):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    elif len(axes) != 2:
        raise ValueError(
            f"tensordot: axes must be an int or a pair, the axes of x and those of y; received {brief(axes)}"
        )
    else:
        left, right = ([side] if isinstance(side, int) else list(side) for side in axes)
    left = [one_axis(axis, a.ndim, "tensordot") for axis in left]
    right = [one_axis(axis, b.ndim, "tensordot") for axis in right]
    if [a.shape[axis] for axis in left] != [b.shape[axis] for axis in right]:
        raise ValueError(
            f"tensordot: the paired axes must have equal lengths; received {left} of {a.shape} and {right} of {b.shape}"
        )
    rows = [axis for axis in range(a.ndim) if axis not in left]
    columns = [axis for axis in range(b.ndim) if axis not in right]
    inner = int(np.prod([a.shape[axis] for axis in left], dtype=int))
    outer_shape = (*(a.shape[axis] for axis in rows), *(b.shape[axis] for axis in columns))
    count = int(np.prod([a.shape[axis] for axis in rows], dtype=int))
    width = int(np.prod([b.shape[axis] for axis in columns], dtype=int))
    matrix = ops.transpose(a, axes=(*rows, *left)).reshape(count, inner)
    other = ops.transpose(b, axes=(*right, *columns)).reshape(inner, width)
    return matmul(matrix, other).reshape(outer_shape)


@implements(np.einsum)
def einsum(subscripts: str, *operands: TensorLike) -> Tensor:
    """Einstein's summation, like ``numpy.einsum``.

    Parameters
    ----------
    subscripts : str
        Such as ``"ij,jk->ik"``; without an arrow, the indices that occur once, in alphabetical order. ``...`` stands
        for leading axes that broadcast.
    operands : array_like

    Examples
    --------
    >>> einsum("ii->", [[1.0, 2.0], [3.0, 4.0]])
    Tensor(5., dtype=float32)

    """
    if not isinstance(subscripts, str):
        raise TypeError(f"einsum: expected subscripts such as 'ij,jk->ik' first, received {type(subscripts).__name__}")
    tensors = [as_tensor(x) for x in operands]
    names, output = _parse(subscripts, tensors)
    elsewhere = [set(output).union(*(names[:i] + names[i + 1 :])) for i in range(len(names))]
    for i, kept in enumerate(elsewhere):
        tensors[i], names[i] = _diagonal(tensors[i], names[i])
        alone = tuple(axis for axis, letter in enumerate(names[i]) if letter not in kept)
        if alone:  # an index that nothing else has: its sum is taken first
            tensors[i] = tensors[i].sum(alone)
            names[i] = "".join(letter for letter in names[i] if letter in kept)
    sizes: dict[str, int] = {}
    for name, t in zip(names, tensors, strict=True):
        for letter, size in zip(name, t.shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                if 1 not in (size, sizes[letter]):
                    raise ValueError(f"einsum: index {letter!r} of {subscripts!r} is {sizes[letter]} and {size} long")
                sizes[letter] = max(size, sizes[letter])
    for i, name in enumerate(names):  # leading axes of length 1 are stretched
        tensors[i] = tensors[i].broadcast_to(tuple(sizes[letter] for letter in name))
    return ops.einsum(*tensors, subscripts=",".join(names) + "->" + output)


def _parse(subscripts: str, tensors: list[Tensor]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with ``...`` spelled out."""
    text = subscripts.replace(" ", "")
    left, arrow, output = text.partition("->")
    names = left.split(",")
    if len(names) != len(tensors):
        raise ValueError(f"einsum: {subscripts!r} names {len(names)} operands, but {len(tensors)} were given")
    free = [letter for letter in LETTERS if letter not in text]
    depth = 0
    for i, (name, t) in enumerate(zip(names, tensors, strict=True)):
        if "..." in name:
            extra = t.ndim - len(name.replace("...", ""))
            depth = max(depth, extra)
            names[i] = name.replace("...", "".join(free[:extra][::-1]))
        if len(names[i]) != t.ndim or not set(names[i]) <= set(LETTERS):
            raise ValueError(f"einsum: {name!r} in {subscripts!r} does not fit an operand of {t.ndim} axes")
    leading = "".join(free[:depth][::-1])
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        output = leading + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    output = output.replace("...", leading)
    if len(set(output)) != len(output) or not set(output) <= set("".join(names)):
        raise ValueError(f"einsum: the result {output!r} of {subscripts!r} must name the operands' indices, each once")
    return names, output


def _diagonal(t: Tensor, name: str) -> tuple[Tensor, str]:
    """Merge an index that one operand names twice."""
    for letter in set(name):
        while name.count(letter) > 1:
            first, second = _places(name, letter)
            if t.shape[first] != t.shape[second]:
                raise ValueError(
                    f"einsum: index {letter!r} is {t.shape[first]} and {t.shape[second]} long in an operand"
                )
            rest = [axis for axis in range(t.ndim) if axis not in (first, second)]
            t = ops.transpose(t, axes=(*rest, first, second))
            along = np.arange(t.shape[-1])
            t = ops.getitem(t, index=(..., along, along))
            name = "".join(name[axis] for axis in rest) + letter
    return t, name


def _places(name: str, letter: str) -> tuple[int, int]:
    first = name.index(letter)
    return first, name.index(letter, first + 1)


def same_dtype(*operands: TensorLike) -> list[Tensor]:
    """All operands as tensors of the widest of their floating dtypes."""
    tensors = [as_tensor(x) for x in operands]
    dtype = tensors[0].dtype
    if dtype.kind in "fc" and all([t.dtype is dtype for t in tensors]):  # noqa: C419  # as it nearly always is
        return tensors
    tensors = [t.floating() for t in tensors]
    widest = np.result_type(*(t.dtype for t in tensors))
    return [t.astype(widest) for t in tensors]
