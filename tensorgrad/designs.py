"""Layers from a line of text, or chosen by the size of the images: for the command line and the estimators.

A design is a list of items, separated by commas. Each is a word and, for most, a number::

    conv 16            a convolution of 16 filters, 3 x 3, that keeps the image's size, then ReLU
    conv 16 5          the same, 5 x 5
    conv 16 3 2        the same, with stride 2, which halves the size
    norm               batch normalization
    pool, pool 3       the largest of each 2 x 2 (or 3 x 3) pixels
    average 2          the mean of each 2 x 2 pixels
    global             the mean of each channel
    dropout 0.3        while training, forget 30 % of the numbers
    flatten            make each sample a flat vector; the first dense item does it by itself
    dense 64           a fully connected layer of 64 units, then ReLU

The output layer is not part of a design: it follows from what is to be predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tensorgrad.checks import one_of
from tensorgrad.layers import FFL, BatchNorm, Conv2d, Dropout, Flatten, GlobalPool, Layer, Pool2d
from tensorgrad.layers.shapes import Shape, as_tuple

__all__ = ["WORDS", "from_text", "suggested"]

SMALL = 8  # pixels: an image of no more than that, along its longer side, is not pooled any further
WIDEST = 64  # filters


class _Word(NamedTuple):
    """What an item of a design means."""

    make: Callable[..., Layer]
    numbers: tuple[type, ...]  # of the arguments that may follow the word
    needed: int  # of those, how many must


def _conv(filters: int, size: int = 3, stride: int = 1) -> Layer:
    return Conv2d(filters=filters, kernel_size=size, stride=stride, padding=(size - 1) // 2, activation="relu")


WORDS: dict[str, _Word] = {
    "conv": _Word(_conv, (int, int, int), 1),
    "norm": _Word(BatchNorm, (), 0),
    "pool": _Word(lambda size=2: Pool2d(size), (int,), 0),
    "average": _Word(lambda size=2: Pool2d(size, kind="average"), (int,), 0),
    "global": _Word(GlobalPool, (), 0),
    "dropout": _Word(Dropout, (float,), 0),
    "flatten": _Word(Flatten, (), 0),
    "dense": _Word(lambda units: FFL(neurons=units, activation="relu"), (int,), 1),
}


def from_text(text: str, input_shape: Shape, output: Layer) -> list[Layer]:
    """The layers of a design, for samples of a shape, with an output layer at the end.

    Parameters
    ----------
    text : str
        Such as ``"conv 16, pool, conv 32, pool, dense 64"``; see above. Empty for the output layer alone.
    input_shape : tuple of int, or int
        Of one sample.
    output : Layer
        A fully connected layer; samples that are not flat by then are flattened for it.

    Raises
    ------
    ValueError
        If an item is not understood, or its layer does not fit what the layers before it give: with the item.
    """
    layers: list[Layer] = []
    shape = input_shape

    def append(layer: Layer, item: str) -> None:
        nonlocal shape
        try:
            shape = layer.infer_shape(shape)
        except ValueError as error:
            raise ValueError(f"layers: {item}: {error}") from None
        layers.append(layer)

    items = [item.split() for item in text.split(",")] if text.strip() else []
    for position, words in enumerate(items, 1):
        item = f"item {position}, {' '.join(words)!r}"
        layer = _made(words, item)
        if isinstance(layer, FFL) and len(as_tuple(shape)) > 1:
            append(Flatten(), item)
        append(layer, item)
    if len(as_tuple(shape)) > 1:
        append(Flatten(), "the output layer")
    append(output, "the output layer")
    return layers


def _made(words: Sequence[str], item: str) -> Layer:
    """The layer of an item."""
    if not words:
        raise ValueError(f"layers: {item}: expected a word such as 'conv 16' between two commas, received nothing")
    name, *given = words
    one_of(name, WORDS, "layers", "item")
    word = WORDS[name]
    if not word.needed <= len(given) <= len(word.numbers):
        most = len(word.numbers)
        wanted = f"{word.needed} to {most} numbers" if word.needed < most else f"{most} numbers"
        raise ValueError(f"layers: {item}: expected {wanted} after {name!r}, received {len(given)}")
    try:
        return word.make(*(kind(text) for kind, text in zip(word.numbers, given, strict=False)))
    except ValueError as error:
        raise ValueError(f"layers: {item}: {error}") from None


def suggested(input_shape: Shape) -> str:
    """A design that suits samples of a shape: small, and good enough to begin with.

    Images are convolved and pooled until they are small, with twice as many filters after each pool; flat samples
    get one hidden layer.

    Examples
    --------
    >>> suggested((28, 28, 1))
    'conv 16, norm, conv 16, norm, pool, conv 32, norm, conv 32, norm, pool, dense 128, dropout 0.3'
    >>> suggested(30)
    'dense 64'
    """
    shape = as_tuple(input_shape)
    if len(shape) != 3:
        return "flatten, dense 64" if len(shape) > 1 else "dense 64"
    items: list[str] = []
    (height, width), filters = shape[:2], 16
    while max(height, width) > SMALL and min(height, width) >= 2:
        items += [f"conv {filters}", "norm", f"conv {filters}", "norm", "pool"]
        height, width, filters = height // 2, width // 2, min(2 * filters, WIDEST)
    return ", ".join([*(items or [f"conv {filters}"]), "dense 128", "dropout 0.3"])
