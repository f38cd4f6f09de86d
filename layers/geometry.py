"""What layers with sliding windows share: padding, receptive fields, and whether windows fit."""

from __future__ import annotations

from typing import Any, Literal

from tensorgrad.checks import brief
from tensorgrad.functional import padding as functional_padding
from tensorgrad.kernels.lowering import Frame, Pair
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import Shape, as_tuple

Size = int | tuple[int, int]
Padding = Literal["zero", "same"] | functional_padding.Padding


def in_pixels(padding: Padding, owner: str) -> Any:
    """A layer's padding in the terms of ``functional``: the tutorial's "zero" and "same" are one pixel."""
    if not isinstance(padding, str):
        return padding
    if padding not in ("zero", "same", "valid", "keep"):
        raise ValueError(
            f"{owner}: unknown padding {brief(padding)}; known are 'zero', 'same', 'valid', 'keep', None, an int, a "
            "pair and ((top, bottom), (left, right))"
        )
    return 1 if padding in ("zero", "same") else padding


def windows_see(
    field: Field, size: Pair, stride: Pair, padding: Frame, dilation: Pair = (1, 1), repeat_edge: bool = False
) -> Field:
    """The receptive field of sliding windows, given that of the pixels they slide over."""
    axes = zip((field.rows, field.columns), size, stride, padding, dilation, strict=True)
    return Field(*(span.windows(n, s, p, d, repeat_edge) for span, n, s, p, d in axes))


def padded_extent(shape: Shape | None, padding: Frame) -> int:
    """How many numbers a padded image has; the padding's largest side if the image is not known yet."""
    image = as_tuple(shape or 1)
    if len(image) != 3:
        return max(map(max, padding))
    return (image[0] + sum(padding[0])) * (image[1] + sum(padding[1])) * image[2]


def check_fit(title: str, size: Pair, image: Pair, output: Pair) -> None:
    """Raise unless at least one window fits."""
    if min(output) < 1:
        raise ValueError(
            f"{title}: a {size[0]}x{size[1]} window does not fit the {image[0]}x{image[1]} input that it receives; "
            "use a smaller kernel or stride, more padding, or fewer layers before it that shrink the image"
        )
