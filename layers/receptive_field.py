"""Receptive fields: which part of the image each pixel of a layer's output can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tensorgrad.derivatives import grad
from tensorgrad.engine import set_recording
from tensorgrad.tensor import Array, Tensor

_DRAWS, _BATCH = 4, 32  # random images per output row to measure a layer with that has no rule; images at once


class Span(NamedTuple):
    """What an output sees along one axis: pixel i sees ``first[i]`` to ``last[i]``, or nothing if ``last < first``."""

    first: Array
    last: Array

    @property
    def most(self) -> int:
        """The largest number of input pixels that any output pixel sees."""
        return max(0, int((self.last - self.first).max()) + 1)

    def at(self, indices: Array, inside: Array | bool = True) -> Span:
        """The span of outputs that each read a row of ``indices``; those not ``inside`` the image are not read."""
        first = np.where(inside, self.first[indices], np.iinfo(np.int64).max // 2).min(axis=1)
        last = np.where(inside, self.last[indices], -1).max(axis=1)
        return Span(first, last)

    def windows(
        self, size: int, stride: int, padding: tuple[int, int], dilation: int = 1, repeat_edge: bool = False
    ) -> Span:
        """The span of sliding windows; padding sees nothing, or the pixel at the edge if that is repeated."""
        pixels = len(self.first)
        count = (pixels + sum(padding) - dilation * (size - 1) - 1) // stride + 1
        taps = (np.arange(count) * stride - padding[0])[:, None] + dilation * np.arange(size)  # (outputs, size)
        indices = taps.clip(0, pixels - 1)
        return self.at(indices, repeat_edge or taps == indices)

    def whole(self) -> Span:
        """The span of one output that reads every pixel."""
        return self.at(np.arange(len(self.first))[None])

    def union(self, other: Span) -> Span:
        """The span of outputs that read one pixel of each."""
        return Span(np.minimum(self.first, other.first), np.maximum(self.last, other.last))


class Field(NamedTuple):
    """The part of the image that each pixel of a layer's output can see.

    Attributes
    ----------
    rows, columns : Span
        The first and the last row of the image that each row of the output can see, and likewise for columns.
    """

    rows: Span
    columns: Span

    @classmethod
    def of_image(cls, height: int, width: int) -> Field:
        """The field of the image itself: each pixel sees itself."""
        return cls(*(Span(np.arange(n), np.arange(n)) for n in (height, width)))

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns that any pixel sees at most; the edge of the image cuts them off."""
        return self.rows.most, self.columns.most

    def whole(self) -> Field:
        """The field of a number that reads every pixel."""
        return Field(self.rows.whole(), self.columns.whole())

    def union(self, other: Field) -> Field:
        """The field of pixels that read one pixel of each."""
        return Field(self.rows.union(other.rows), self.columns.union(other.columns))


def measured(
    forward: Callable[[Tensor, bool], Tensor], before: tuple[int, ...], after: tuple[int, ...], field: Field
) -> Field:
    """The field of a function of images, measured: an output pixel sees where its gradient is not zero.

    Parameters
    ----------
    forward : callable
        A layer's: batches of images of the shape `before`, to images of the shape `after`.
    before, after : (height, width, channels)
    field : Field
        What the pixels that go in see.
    """
    spans = []
    rng = np.random.default_rng(0)
    for axis, span in enumerate((field.rows, field.columns)):
        seen = np.zeros((after[axis], before[axis]), bool)
        places = np.repeat(np.arange(after[axis]), _DRAWS)
        for start in range(0, len(places), _BATCH):
            batch = places[start : start + _BATCH]  # image n of the batch measures row (or column) batch[n]
            x = Tensor(rng.standard_normal((len(batch), *before)).astype(np.float32), requires_grad=True)
            weights = np.zeros((len(batch), *after), np.float32)
            weights.swapaxes(1, axis + 1)[np.arange(len(batch)), batch] = 1
            with set_recording(True), np.errstate(all="ignore"):
                out = forward(x, False)
                if not out.requires_grad:
                    return field.whole()
                (g,) = grad(out, x, weights.astype(out.dtype), allow_unused=True)
            np.logical_or.at(seen, batch, g.numpy().swapaxes(1, axis + 1).any(axis=(2, 3)))
        inputs = np.arange(before[axis])[None].repeat(after[axis], axis=0)  # (after, before)
        spans.append(span.at(inputs, seen))
    return Field(*spans)
