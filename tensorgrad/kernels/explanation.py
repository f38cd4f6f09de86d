"""What :mod:`tensorgrad.kernels.plan` decides, in words."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from tensorgrad.kernels.convolution import FOR_BOTH, geometry_of, parts, turned_around
from tensorgrad.kernels.lowering import Frame, Pair, output_sizes
from tensorgrad.kernels.plan import ONE, Columns, Plan, gradient_is_narrow, gradient_suits_both, plan
from tensorgrad.kernels.threads import share_out

Size = int | Pair


def explain(
    shape: tuple[int, int, int, int],
    filters: int,
    kernel_size: Size = 3,
    *,
    stride: Size = 1,
    padding: Size | Frame = 0,
    dilation: Size = 1,
    groups: int = 1,
    dtype: str = "float32",
) -> str:
    """Say which lowering a convolution and its gradients get, and why, from their shapes alone.

    Parameters
    ----------
    shape : (N, H, W, C)
        Of the images.
    filters : int
        Channels of the result.
    kernel_size, stride, padding, dilation : int or pair
        For both axes, or (rows, columns). A padding may also be ((above, below), (left, right)).
    groups : int
        Of channels, each convolved on its own.
    dtype : str or dtype
        Of images and kernels.

    Returns
    -------
    str
        A paragraph for each of the three: the result, the gradient by the weights, and the gradient by the images (in
        as many parts as the stride has remainders). ``m x k by k x n`` is a product of matrices of these sizes.

    Raises
    ------
    ValueError
        If the shapes do not go together.

    Examples
    --------
    >>> print(explain((32, 28, 28, 1), 8).splitlines()[0])
    32 images of 28 x 28 x 1, float32, with 8 kernels of 3 x 3 x 1: 32 x 26 x 26 x 8, 1,557,504 multiply-adds

    """
    if len(shape) != 4 or min(shape) < 1 or filters < 1:
        raise ValueError(f"explain: expected a shape (N, H, W, C) and filters from 1, received {shape} and {filters}")
    n, h, w, c = shape
    sizes = {"kernel_size": kernel_size, "stride": stride, "dilation": dilation}
    size, steps, reach = (_pair(value, name, 1) for name, value in sizes.items())
    rows, columns = padding if isinstance(padding, tuple) else (padding, padding)
    frame = _pair(rows, "padding", 0), _pair(columns, "padding", 0)
    if groups < 1 or c % groups or filters % groups:
        raise ValueError(f"explain: groups must divide the {c} channels and the {filters} filters, received {groups}")
    out = output_sizes((h, w), size, steps, frame, reach)
    if min(out) < 1:
        raise ValueError(f"explain: a kernel of {_by(size)} does not fit images of {h} x {w} with padding {frame}")
    number = np.dtype(dtype)
    results = prod(out) * filters * n
    lines = [
        f"{_some(n, 'image')} of {_by(shape[1:])}, {number}, with {_some(filters, 'kernel')} of "
        f"{_by((*size, c // groups))}: "
        f"{_by((n, *out, filters))}, {results * prod(size) * (c // groups):,} multiply-adds"
    ]
    asked = geometry_of(shape, frame, size, filters, steps, reach, groups, number)
    lines += ["the result", *_told(plan(n, asked), n, False)]
    lines += ["the gradient by the weights"]
    turned, image, result = turned_around(size, steps, frame, reach, groups), shape[1:], (*out, filters)
    if turned is not None and gradient_suits_both(image, result):
        lines += [
            "    from the windows of the gradient by the images, where both are wanted and images are finite; else"
        ]
    if turned is not None and gradient_is_narrow(image, result):
        lines += ["    by windows of the gradient of the result, which is the narrower one; where images are finite"]
        asked = geometry_of((n, *out, filters), turned, size, c, ONE, ONE, 1, number)
    lines += _told(plan(n, asked, by_weights=True), n, True)
    if steps != ONE and reach != ONE:  # the kernel is then written out, with zeros between its taps
        size, reach = ((size[0] - 1) * reach[0] + 1, (size[1] - 1) * reach[1] + 1), ONE
    found = parts((h, w), out, size, steps, frame, reach)
    for number_of, part in enumerate(found, 1):
        taps = tuple(len(range(*taps.indices(k))) for taps, k in zip(part.taps, size, strict=True))
        asked = geometry_of((n, *out, filters), part.frame, (taps[0], taps[1]), c, ONE, reach, groups, number)
        of = f", part {number_of} of {len(found)}, with {_by(taps)} taps" if len(found) > 1 else ""
        made = plan(n, asked, in_place=steps == ONE)
        lines += [f"the gradient by the images{of}", *_told(made, n, False)]
        if turned is not None and gradient_suits_both(image, result) and made.lowering in FOR_BOTH:
            lines += ["    its windows give that by the weights too, where both are wanted and images are finite"]
    return "\n".join(lines)


def _told(made: Plan, n: int, by_weights: bool) -> Iterator[str]:
    """A plan in lines."""
    yield f"    {made.lowering}: {made.why}"
    threads, _ = share_out(n, made.images, made.work)
    tiles = -(-n // made.images)
    yield f"    {_some(tiles, 'tile')} of up to {_some(min(n, made.images), 'image')}, on {_some(threads, 'thread')}"
    if made.each is not None:
        yield f"    of each group, {made.each.lowering}: {made.each.why}"
    convolved = made.of_group
    for columns in convolved.columns:
        yield f"    {_products(convolved, columns, -(-n // tiles), by_weights)}"
    if made.if_not_finite is not None:
        yield f"    {made.if_not_finite.of_group.lowering}, window by window, for tiles with an infinity or NaN in them"


def _products(made: Plan, columns: Columns, tile: int, by_weights: bool) -> str:
    """The matrix products of a tile: how many, and of which sizes."""
    (_, _, c), (kh, kw), filters, (_, sw), *_ = made.geometry
    oh, _ = made.out
    blocks = -(-(columns.stop - columns.first) // columns.block)
    if made.lowering == "pixels":
        count, m, k, width = 1, oh * blocks, c, filters
    elif made.lowering == "winograd":
        count, m, k, width = 4 * oh, blocks, kh * c, filters
    else:
        count, m = oh, blocks
        k, width = kh * ((columns.block - 1) * sw + kw) * c, columns.block * filters
    if columns.together:
        m *= tile
    else:
        count *= tile
    if by_weights and not columns.together and made.lowering == "strips":
        count, k, m = tile * kh, k // kh, oh * blocks
    sizes = f"{k} x {m} by {m} x {width}" if by_weights else f"{m} x {k} by {k} x {width}"
    cut = f", in pieces of up to {columns.pieces.rows} x {columns.pieces.columns}" if columns.pieces else ""
    return f"columns {columns.first} to {columns.stop - 1} of the result: {_some(count, 'product')} of {sizes}{cut}"


def _pair(value: Size, name: str, least: int) -> Pair:
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or min(pair) < least:
        raise ValueError(f"explain: {name} must be an int from {least}, or a pair of them; received {value!r}")
    return pair[0], pair[1]


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _by(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))
