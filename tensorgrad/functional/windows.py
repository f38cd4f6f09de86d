"""Convolution and upsampling of images, channels last.

Images are ``(N, H, W, C)``, or one sample ``(H, W, C)``, and then so is the result. Sizes, strides
and dilations are an int for both axes or a pair (rows, columns); paddings are explained at :func:`conv2d`.
Along each axis the output has
``floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`` pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import ops
from tensorgrad.checks import brief, one_of, pair
from tensorgrad.functional.activations import ACTIVATIONS, ending
from tensorgrad.functional.linalg import same_dtype
from tensorgrad.functional.padding import Padding, explicit, frame, shown
from tensorgrad.kernels.lowering import Frame, Pair, output_sizes
from tensorgrad.tensor import Tensor, TensorLike, as_tensor

__all__ = [
    "col2im", "conv2d", "conv_transpose2d", "im2col", "upsample2d",
]  # fmt: skip

Size = int | tuple[int, int]


def conv2d(
    x: TensorLike,
    w: TensorLike,
    b: TensorLike | None = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
    groups: int = 1,
    activation: str | None = None,
) -> Tensor:
    """Convolve images with kernels (cross-correlate them, as the field does: the kernel is not flipped).

    ``y[n, i, j, f] = b[f] + sum over a, b, c of x[n, i s + a d - p, j s + b d - p, c] w[a, b, c, f]``

    Parameters
    ----------
    x : array_like, shape=(N, H, W, C) or (H, W, C)
        Images.
    w : array_like, shape=(KH, KW, C / groups, F)
        Kernels.
    b : array_like, shape=(F,), optional
        One bias per filter.
    stride : int or pair
        s: how many pixels from one window to the next.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "keep"
        p: how many pixels of zeros to put around the images: an int or a pair (rows, columns) on both sides. "valid"
        (or None) is none. "keep" gives ``ceil(size / stride)`` pixels for kernels of every size, as Keras's and
        PyTorch's "same"; if an odd number of pixels is needed, bottom and right get one more.
    dilation : int or pair
        d: how many pixels from one tap of the kernel to the next.
    groups : int
        Cut channels and filters into that many groups, each convolved on its own. Divides C and F.
    activation : str, optional
        A name from ``ACTIVATIONS``. With a bias, those that have a ``last_step`` are applied to the result in place,
        so that memory is taken for one result only.

    Returns
    -------
    Tensor, shape=(N, OH, OW, F) or (OH, OW, F)

    Raises
    ------
    ValueError
        If shapes do not go together, a kernel is larger than its padded image, or the activation is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> conv2d(np.ones((1, 5, 5, 1)), np.ones((3, 3, 1, 2)), padding=1).shape
    (1, 5, 5, 2)

    """
    if activation is not None:
        one_of(activation, ACTIVATIONS, "conv2d", "activation")
    images, kernels, *biases = same_dtype(x, w, *(() if b is None else (b,)))
    if kernels.ndim != 4:
        raise ValueError(f"conv2d: expected kernels of shape (KH, KW, C / groups, F), received shape {kernels.shape}")
    if not kernels.size:
        raise ValueError(f"conv2d: expected at least one tap, channel and filter; received kernels {kernels.shape}")
    check_images(images, "conv2d")
    kh, kw, channels, filters = kernels.shape
    _check_groups(groups, filters, "conv2d")
    if images.shape[-1] != channels * groups:
        raise ValueError(
            f"conv2d: the images have {images.shape[-1]} channels, but the kernels take {channels * groups} "
            f"(x.shape={images.shape}, w.shape={kernels.shape}, groups={groups}); the channels come last"
        )
    geometry = _geometry("conv2d", images.shape[-3:-1], (kh, kw), stride, padding, dilation)
    check_windows("conv2d", images.shape[-3:-1], (kh, kw), **geometry)
    bias = _check_bias(biases[0], filters, "conv2d") if biases else None
    return on_batch(
        images, lambda batch: convolve(batch, kernels, bias, activation=activation, groups=groups, **geometry)
    )


def convolve(x: Tensor, w: Tensor, b: Tensor | None, *, activation: str | None, **geometry: Any) -> Tensor:
    """What :func:`conv2d` computes, for a batch, pairs and one dtype that were checked before."""
    if b is None:
        y = ops.conv2d(x, w, **geometry)
        return y if activation is None else ACTIVATIONS[activation].function(y)
    last_step, rest = ending(activation)
    y = ops.conv2d_bias(x, w, b, activation=last_step, **geometry)
    return y if rest is None else rest(y)


def conv_transpose2d(
    x: TensorLike,
    w: TensorLike,
    b: TensorLike | None = None,
    *,
    stride: Size = 1,
    padding: Padding = 0,
    output_padding: Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """The transpose of :func:`conv2d` in its images: it adds to windows what the convolution reads from them.

    Parameters
    ----------
    x : array_like, shape=(N, H, W, F) or (H, W, F)
    w : array_like, shape=(KH, KW, C / groups, F)
        The kernels of the convolution whose transpose this is.
    b : array_like, shape=(C,), optional
    stride, padding, dilation, groups
        Those of that convolution. With the padding "keep", the result is ``stride`` times as large.
    output_padding : int or pair
        Rows and columns to add at the bottom and right, since the convolution maps several sizes to one.

    Returns
    -------
    Tensor, shape=(N, OH, OW, C) or (OH, OW, C)
        ``OH = (H - 1) stride - 2 padding + dilation (KH - 1) + output_padding + 1``.

    """
    images, kernels = same_dtype(x, w)
    check_images(images, "conv_transpose2d")
    if kernels.ndim != 4 or images.shape[-1] != kernels.shape[3]:
        raise ValueError(
            "conv_transpose2d: expected kernels of shape (KH, KW, C / groups, F) for images of F channels; "
            f"received w.shape={kernels.shape}, x.shape={images.shape}"
        )
    kh, kw, channels, filters = kernels.shape
    _check_groups(groups, filters, "conv_transpose2d")
    steps, gaps = (
        pair(stride, "conv_transpose2d", "stride", 1),
        pair(dilation, "conv_transpose2d", "dilation", 1),
    )
    (height, width), around, extra = transposed_sizes(
        "conv_transpose2d", images.shape[-3:-1], (kh, kw), steps, padding, gaps, output_padding
    )
    rows, columns = (e // s for e, s in zip(extra, steps, strict=True))
    if rows or columns:  # a whole stride more of output is one more row, or column, of input, of zeros
        widths = ((0, 0), (0, rows), (0, columns), (0, 0))
        images = ops.pad(images, widths=widths[-images.ndim :], constant=0.0)
    geometry: dict[str, Any] = {"stride": steps, "padding": around, "dilation": gaps, "groups": groups}
    y = on_batch(
        images,
        lambda g: ops.conv2d_input(g, kernels, shape=(g.shape[0], height, width, channels * groups), **geometry),
    )
    return y if b is None else y + _check_bias(b, channels * groups, "conv_transpose2d")


def transposed_sizes(
    name: str, image: tuple[int, ...], size: Pair, stride: Pair, padding: Padding, dilation: Pair, output_padding: Size
) -> tuple[Pair, Frame, Pair]:
    """The size of a transposed convolution's result, its padding, and its output padding."""
    extra = pair(output_padding, name, "output_padding", 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{name}: output_padding={extra} must be smaller than the stride or the dilation")
    around = explicit(padding, name)
    if around is None:
        if any(extra):
            raise ValueError(f"{name}: output_padding has no meaning with padding='keep', received {extra}")
        rows, columns = (n * s for n, s in zip(image, stride, strict=True))
        return (rows, columns), frame("keep", name, (rows, columns), size, stride, dilation), extra
    rows, columns = (
        (n - 1) * s - sum(p) + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(image, size, stride, around, dilation, extra, strict=True)
    )
    if rows < 1 or columns < 1:
        raise ValueError(f"{name}: padding={shown(around)} leaves nothing of the {image[0]} x {image[1]} pixels")
    return (rows, columns), around, extra


def upsample2d(x: TensorLike, kernel_size: Size = 2) -> Tensor:
    """Repeat each pixel `kernel_size` times along each axis (nearest-neighbour): ``(N, H KH, W KW, C)``."""
    images = check_images(as_tensor(x), "upsample2d")
    size = pair(kernel_size, "upsample2d", "kernel_size", 1)
    return on_batch(images, lambda batch: ops.repeat_pixels(batch, size=size))


def im2col(x: TensorLike, kernel_size: Size, stride: Size = 1, padding: Padding = 0, dilation: Size = 1) -> Tensor:
    """The windows of images as the rows of a matrix.

    Parameters
    ----------
    x : array_like, shape=(N, H, W, C) or (H, W, C)
    kernel_size, stride, padding, dilation
        As in :func:`conv2d`.

    Returns
    -------
    Tensor, shape=(N OH OW, KH KW C)
        Windows in the order of (N, OH, OW), each with its pixels in the order of (KH, KW, C), so that
        ``im2col(x, k) @ w.reshape(-1, F)`` is the convolution. Differentiable; its transpose is :func:`col2im`.

    """
    images = check_images(as_tensor(x), "im2col")
    size = pair(kernel_size, "im2col", "kernel_size", 1)
    geometry = _geometry("im2col", images.shape[-3:-1], size, stride, padding, dilation)
    check_windows("im2col", images.shape[-3:-1], size, **geometry)
    batch = images if images.ndim == 4 else images.reshape((1, *images.shape))
    return ops.im2col(batch, size=size, **geometry)


def col2im(
    cols: TensorLike,
    input_shape: tuple[int, ...],
    kernel_size: Size,
    stride: Size = 1,
    padding: Padding = 0,
    dilation: Size = 1,
) -> Tensor:
    """Add the rows of a matrix to the windows of images: the transpose of :func:`im2col`.

    Parameters
    ----------
    cols : array_like, shape=(N OH OW, KH KW C)
    input_shape : (N, H, W, C) or (H, W, C)
        The shape of the images.
    kernel_size, stride, padding, dilation
        As in :func:`conv2d`.

    Returns
    -------
    Tensor, shape=input_shape
        A pixel that several windows share holds the sum over them.

    """
    matrix = as_tensor(cols)
    shape = tuple(int(n) for n in input_shape)
    if len(shape) not in (3, 4):
        raise ValueError(f"col2im: input_shape must be (N, H, W, C) or (H, W, C), received {shape}")
    size = pair(kernel_size, "col2im", "kernel_size", 1)
    geometry = _geometry("col2im", shape[-3:-1], size, stride, padding, dilation)
    oh, ow = check_windows("col2im", shape[-3:-1], size, **geometry)
    batch = shape if len(shape) == 4 else (1, *shape)
    wanted = (batch[0] * oh * ow, size[0] * size[1] * batch[3])
    if matrix.shape != wanted:
        raise ValueError(f"col2im: expected a matrix (N OH OW, KH KW C) = {wanted}, received shape {matrix.shape}")
    return ops.col2im(matrix, shape=batch, size=size, **geometry).reshape(shape)


def _geometry(
    name: str, image: tuple[int, ...], size: tuple[int, int], stride: Size, padding: Padding, dilation: Size
) -> dict[str, Any]:
    steps, gaps = pair(stride, name, "stride", 1), pair(dilation, name, "dilation", 1)
    return {"stride": steps, "padding": frame(padding, name, image, size, steps, gaps), "dilation": gaps}


def check_images(x: Tensor, name: str) -> Tensor:
    if x.ndim not in (3, 4):
        raise ValueError(f"{name}: expected images (N, H, W, C), or one sample (H, W, C); received shape {x.shape}")
    return x


def check_windows(
    name: str,
    image: tuple[int, ...],
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: Frame,
    dilation: tuple[int, int],
) -> tuple[int, int]:
    """How many windows there are, (rows, columns); raise if there is none."""
    oh, ow = output_sizes((image[0], image[1]), size, stride, padding, dilation)
    if oh < 1 or ow < 1 or 0 in size:
        spread = "" if dilation == (1, 1) else f", dilated by {dilation},"
        raise ValueError(
            f"{name}: a window of {size[0]} x {size[1]} pixels{spread} does not fit {image[0]} x {image[1]} "
            f"pixels with padding {shown(padding)}; use a smaller kernel or more padding"
        )
    return oh, ow


def _check_groups(groups: int, filters: int, name: str) -> None:
    if isinstance(groups, bool) or not isinstance(groups, int | np.integer) or groups < 1 or filters % groups:
        raise ValueError(f"{name}: groups must be an int that divides the {filters} filters, received {brief(groups)}")


def _check_bias(b: TensorLike, filters: int, name: str) -> Tensor:
    bias = as_tensor(b)
    if bias.shape != (filters,):
        raise ValueError(f"{name}: expected a bias of shape ({filters},), one per filter; received shape {bias.shape}")
    return bias


def on_batch(images: Tensor, operation: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply to a batch; one sample is treated as a batch of one, and gives one sample."""
    if images.ndim == 4:
        return operation(images)
    return operation(images.reshape((1, *images.shape))).squeeze(0)
