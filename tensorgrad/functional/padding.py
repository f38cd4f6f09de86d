"""Padding: from what users write to the number of pixels around images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from tensorgrad.checks import brief, pair
from tensorgrad.kernels.lowering import NO_FRAME, Frame, Pair, around

Padding = Literal["valid", "keep"] | int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] | None


def explicit(padding: Any, name: str) -> Frame | None:
    """The frame that a padding means; None for ``"keep"``, which depends on the images."""
    if padding is None or (isinstance(padding, str) and padding == "valid"):
        return NO_FRAME
    if isinstance(padding, str):
        if padding == "keep":
            return None
        raise ValueError(
            f"{name}: unknown padding {brief(padding)}; known are 'valid', 'keep', None, an int, a pair (rows, "
            "columns) and ((top, bottom), (left, right))"
        )
    if isinstance(padding, Iterable):
        sides = tuple(padding)
        if any(isinstance(side, Iterable) for side in sides):
            if len(sides) != 2 or not all(isinstance(side, Iterable) and len(tuple(side)) == 2 for side in sides):
                raise ValueError(f"{name}: padding must be ((top, bottom), (left, right)), received {brief(padding)}")
            return pair(sides[0], name, "padding", 0), pair(sides[1], name, "padding", 0)
        padding = sides
    return around(pair(padding, name, "padding", 0))


def frame(padding: Any, name: str, image: tuple[int, ...], size: Pair, stride: Pair, dilation: Pair = (1, 1)) -> Frame:
    """The frame for images of (rows, columns): ((top, bottom), (left, right)).

    ``"keep"`` makes ``ceil(pixels / stride)`` windows along each axis; if the padding is odd, bottom and right get one
    pixel more.
    """
    found = explicit(padding, name)
    if found is not None:
        return found
    rows, columns = (
        max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        for n, k, s, d in zip(image, size, stride, dilation, strict=True)
    )
    return (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2)


def rounded_up(padding: Frame, image: tuple[int, ...], size: Pair, stride: Pair) -> Frame:
    """The frame, enlarged at the bottom and right for a last window if one starts inside the image."""
    rows, columns = (
        (before, after + (extra if 0 < extra < s and windows * s < n + before else 0))
        for (before, after), n, k, s in zip(padding, image, size, stride, strict=True)
        for windows in [(before + n + after - k) // s + 1]
        for extra in [windows * s + k - (before + n + after)]
    )
    return rows, columns


def shown(padding: Frame) -> tuple[int | tuple[int, int], ...]:
    """A frame as users write it."""
    return tuple(sides[0] if sides[0] == sides[1] else sides for sides in padding)
