"""Shapes of samples: their checks, and their form in messages."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np

from tensorgrad.checks import brief
from tensorgrad.deprecation import level_outside

Shape = tuple[int, ...] | int  # of one sample; an int where a sample is a flat vector


def phrase(*parts: str | None) -> str:
    """The parts that are not empty, with commas between them."""
    return ", ".join(part for part in parts if part)


def by(sizes: tuple[int, ...]) -> str:
    """Sizes in words: ``"3 x 3"``."""
    return " x ".join(map(str, sizes))


def as_tuple(shape: Shape) -> tuple[int, ...]:
    """A sample's shape as a tuple, also where it is a plain int."""
    return (shape,) if isinstance(shape, int) else tuple(shape)


def check_shape(shape: Any, owner: str) -> Shape:
    """A sample's shape as given by a user: an int, or a sequence of positive ints."""
    items = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if not items or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0 for n in items):
        raise ValueError(f"{owner}: input_shape must be an int or a tuple of positive ints, received {brief(shape)}")
    return int(items[0]) if isinstance(shape, int | np.integer) else tuple(int(n) for n in items)


def check_image_shape(shape: Any, owner: str) -> Shape:
    """The shape of one image as given by a user; a warning if its channels seem to come first."""
    checked = check_shape(shape, owner)
    items = as_tuple(checked)
    if len(items) == 3 and items[0] in (1, 3) and items[1] == items[2] > items[0]:
        warnings.warn(
            f"{owner}: input_shape={items} means {items[0]} x {items[1]} pixels of {items[2]} channels, as channels "
            f"come last; for images of {items[1]} x {items[2]} pixels write {(*items[1:], items[0])}, and use "
            "x.transpose(0, 2, 3, 1) on the data",
            stacklevel=level_outside(),
        )
    return checked


def image_shape(shape: Shape, owner: str) -> tuple[int, int, int]:
    """The shape of one image, or a ValueError that says what a layer of images needs."""
    items = as_tuple(shape)
    if len(items) != 3:
        remedy = ""
        if len(items) == 1:
            remedy = "; put it before Flatten(), or Reshape((height, width, channels)) before it"
        raise ValueError(
            f"{owner}: expected images (height, width, channels), received samples of shape {items}{remedy}"
        )
    return items[0], items[1], items[2]


def channels_hint(received: tuple[int, ...], expected: tuple[int, ...]) -> str:
    """What to do if an image has its channels first where they are expected last."""
    if len(expected) == 3 and received[-3:] == (expected[2], expected[0], expected[1]):
        axes = "0, 2, 3, 1" if len(received) == 4 else "1, 2, 0"
        return f"; the channels come last here: use x.transpose({axes})"
    if len(expected) == 3 and expected[2] == 1 and received[-2:] == expected[:2]:
        return "; the channel is missing: use x.reshape(-1, {}, {}, 1)".format(*expected[:2])
    if prod(received[1:]) == prod(expected):
        return f"; use x.reshape(-1, {', '.join(map(str, expected))})"
    return ""
