"""Pooling of images: one number for each window of each channel, or for each whole channel.

A *kind* of pooling is one record, known by its name to :class:`tensorgrad.layers.Pool2d` and ``GlobalPool``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tensorgrad import ops
from tensorgrad.checks import brief, flag, one_of, pair
from tensorgrad.functional.padding import Padding, frame, rounded_up, shown
from tensorgrad.functional.windows import Size, check_images, check_windows, on_batch
from tensorgrad.kernels import bound
from tensorgrad.kernels.bound import Bound
from tensorgrad.kernels.half import in_float32
from tensorgrad.kernels.lowering import Frame, Pair
from tensorgrad.tensor import Tensor, TensorLike, as_tensor

__all__ = [
    "avg_pool2d",
    "global_avg_pool2d",
    "global_max_pool2d",
    "max_pool2d",
    "min_pool2d",
    "pool2d",
    "register_pooling",
]


@dataclass(frozen=True)
class Pooling:
    """A kind of pooling.

    Attributes
    ----------
    name : str
    windows : callable
        ``windows(x, size=, stride=, padding=)`` pools the windows of images ``(N, H, W, C)``; size and stride are
        pairs, padding is ((top, bottom), (left, right)), smaller than the window.
    whole : callable, optional
        Pools images ``(..., H, W, C)`` as a whole: ``(..., C)``.
    bound : callable, optional
        As `windows`, of an array, bound to memory for predictors: see :mod:`tensorgrad.kernels.bound`.
    """

    name: str
    windows: Callable[..., Tensor]
    whole: Callable[[Tensor], Tensor] | None = None
    bound: Callable[..., Bound] | None = None


POOLINGS: dict[str, Pooling] = {}
"""The kinds of pooling that layers know by name; :func:`register_pooling` adds one."""


def register_pooling(
    name: str,
    windows: Callable[..., Tensor],
    whole: Callable[[Tensor], Tensor] | None = None,
    bound: Callable[..., Bound] | None = None,
) -> Pooling:
    """Register a kind of pooling under a name, for :func:`pool2d`, layers and files.

    Parameters
    ----------
    name : str
        A new name: a name never changes its meaning.
    windows, whole, bound
        See :class:`Pooling`.

    Returns
    -------
    Pooling

    Raises
    ------
    ValueError
        If there is a kind of this name, or the name is no identifier.
    TypeError
        If the functions cannot be called.

    Examples
    --------
    >>> from tensorgrad.layers import Pool2d
    >>> def root_mean_square(x, size, stride, padding):
    ...     return avg_pool2d(x * x, size, stride, padding).sqrt()
    >>> rms = register_pooling("rms", root_mean_square)
    >>> round(Pool2d(2, kind="rms")([[[3.0], [4.0]], [[4.0], [3.0]]]).item() ** 2, 5)
    12.5
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"register_pooling: expected a name such as 'median', received {brief(name)}")
    if name in POOLINGS:
        raise ValueError(f"register_pooling: there is a pooling {name!r} already; give another name")
    if not callable(windows) or not (whole is None or callable(whole)):
        raise TypeError("register_pooling: windows must be a function of images, and whole one too, or None")
    POOLINGS[name] = Pooling(name, windows, whole, bound)
    return POOLINGS[name]


def pool2d(
    kind: str,
    x: TensorLike,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
) -> Tensor:
    """One pixel for each window, channel by channel.

    Parameters
    ----------
    kind : "max", "min", "average" or another name from ``POOLINGS``
    x : array_like, shape=(N, H, W, C) or (H, W, C)
    kernel_size : int or pair
        The window.
    stride : int or pair, optional
        Pixels from one window to the next; by default the window's size. Windows may overlap, or leave some rows and
        columns out.
    padding : int, pair, ((top, bottom), (left, right)), "valid" or "keep"
        Pixels around the images: fewer than the window has, so that every window has a pixel of the image. A maximum
        or minimum ignores them, and an average does not count them. See :func:`conv2d`.
    ceil_mode : bool
        Whether to add a last window for rows and columns that would be left out, unless it would start beyond the
        image, as in PyTorch.

    Returns
    -------
    Tensor, shape=(N, OH, OW, C) or (OH, OW, C)
        Of a window's equal extremes the first, row-major, gets the gradient.

    Raises
    ------
    ValueError
        If the kind is unknown, or no window fits, or the padding has a whole window.
    """
    one_of(kind, POOLINGS, "pool2d", "kind")
    return _pool(f"{kind}_pool2d", kind, x, kernel_size, stride, padding, ceil_mode)


def max_pool2d(
    x: TensorLike, kernel_size: Size, stride: Size | None = None, padding: Padding = 0, ceil_mode: bool = False
) -> Tensor:
    """The largest pixel of each window; see :func:`pool2d`."""
    return _pool("max_pool2d", "max", x, kernel_size, stride, padding, ceil_mode)


def min_pool2d(
    x: TensorLike, kernel_size: Size, stride: Size | None = None, padding: Padding = 0, ceil_mode: bool = False
) -> Tensor:
    """The smallest pixel of each window; see :func:`pool2d`."""
    return _pool("min_pool2d", "min", x, kernel_size, stride, padding, ceil_mode)


def avg_pool2d(
    x: TensorLike, kernel_size: Size, stride: Size | None = None, padding: Padding = 0, ceil_mode: bool = False
) -> Tensor:
    """The mean of the image's pixels in each window; see :func:`pool2d`."""
    return _pool("avg_pool2d", "average", x, kernel_size, stride, padding, ceil_mode)


def global_max_pool2d(x: TensorLike) -> Tensor:
    """The largest pixel of each channel: ``(N, C)``, or ``(C,)`` of one sample."""
    return _largest(check_images(as_tensor(x), "global_max_pool2d"))


def global_avg_pool2d(x: TensorLike) -> Tensor:
    """The mean of each channel: ``(N, C)``, or ``(C,)`` of one sample."""
    return _mean(check_images(as_tensor(x), "global_avg_pool2d"))


def pooling_frame(
    padding: Padding, name: str, image: tuple[int, ...], size: Pair, stride: Pair, ceil_mode: bool
) -> Frame:
    """The frame for pooling: ((top, bottom), (left, right))."""
    found = frame(padding, name, image, size, stride)
    if any(max(sides) >= k for sides, k in zip(found, size, strict=True)):
        raise ValueError(
            f"{name}: padding={shown(found)} must be smaller than the window {size}, or a window would have no pixel "
            "of the image"
        )
    return rounded_up(found, image, size, stride) if flag(ceil_mode, name, "ceil_mode") else found


def _pool(
    name: str, kind: str, x: TensorLike, kernel_size: Size, stride: Size | None, padding: Padding, ceil_mode: bool
) -> Tensor:
    images = check_images(as_tensor(x).floating(), name)
    size = pair(kernel_size, name, "kernel_size", 1)
    step = size if stride is None else pair(stride, name, "stride", 1)
    around = pooling_frame(padding, name, images.shape[-3:-1], size, step, ceil_mode)
    check_windows(name, images.shape[-3:-1], size, stride=step, padding=around, dilation=(1, 1))
    return on_batch(images, lambda batch: POOLINGS[kind].windows(batch, size=size, stride=step, padding=around))


def _largest(x: Tensor) -> Tensor:
    return x.max((-3, -2))


def _mean(x: Tensor) -> Tensor:
    return x.mean((-3, -2))


register_pooling("max", ops.max_pool2d, _largest, partial(bound.extreme, largest=True))
register_pooling("min", ops.min_pool2d, bound=partial(bound.extreme, largest=False))
register_pooling("average", in_float32(ops.avg_pool2d), _mean, bound.average)
