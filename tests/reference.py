"""Windows, convolution and pooling by their definitions, in NumPy alone: what the library's are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def windows(
    x: Array, size: Any, stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = (1, 1), fill: float = 0.0
) -> Array:
    """All windows over images in a frame of ``fill``: ``(N, OH, OW, KH, KW, C)``.

    The padding is (rows, columns), of both sides, or ((above, below), (left, right)).
    """
    (sh, sw), (dh, dw) = stride, dilation
    frame = [(p, p) if isinstance(p, int) else p for p in padding]
    framed = np.pad(x, ((0, 0), *frame, (0, 0)), constant_values=fill)
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(framed, reach, axis=(1, 2))  # (N, OH, OW, C, reach)
    return view[:, ::sh, ::sw, :, ::dh, ::dw].transpose(0, 1, 2, 4, 5, 3)


def conv2d(
    x: Array, w: Array, stride: Any = (1, 1), padding: Any = (0, 0), dilation: Any = (1, 1), groups: int = 1
) -> Array:
    """The sum of products of each window, group of channels by group: ``(N, OH, OW, F)``."""
    view = windows(x, w.shape[:2], stride, padding, dilation)
    each = [np.tensordot(v, k, 3) for v, k in zip(np.split(view, groups, -1), np.split(w, groups, -1), strict=True)]
    return np.concatenate(each, -1)
