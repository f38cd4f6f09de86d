"""Pool2d and GlobalPool: the largest, smallest or average pixel of each window, or of the whole image."""

from __future__ import annotations

from collections.abc import Callable

from tensorgrad import functional
from tensorgrad.checks import one_of, pair
from tensorgrad.kernels.lowering import around, output_sizes
from tensorgrad.layers.conv2d import Padding, Size, check_fit, frame, padded_extent, windows_see
from tensorgrad.layers.layer import Layer, Shape, by, image_shape, phrase
from tensorgrad.layers.receptive_field import Field
from tensorgrad.tensor import Tensor

_GLOBAL = {"max": functional.global_max_pool2d, "average": functional.global_avg_pool2d}
_POOLS: dict[str, Callable[..., Tensor]] = {
    "max": functional.max_pool2d,
    "min": functional.min_pool2d,
    "average": functional.avg_pool2d,
}


class Pool2d(Layer):
    """Shrink images: one pixel for each window, channel by channel.

    Parameters
    ----------
    kernel_size : int or pair
        The window.
    stride : int or pair, optional
        Pixels from one window to the next; by default the window's size. Windows may overlap, and rows and
        columns that fill no window are dropped.
    kind : "max", "min" or "average"
    padding : None, "zero", "same", int or pair
        Pixels around the image, at most half of the window: None for none, either name for one, as in the text, or a
        number. They never win a max or min, and an average does not count them.
    """

    rank = 3
    family = "resampling"

    def __init__(
        self, kernel_size: Size = (2, 2), stride: Size | None = None, kind: str = "max", padding: Padding = None
    ) -> None:
        one_of(kind, _POOLS, "Pool2d", "kind")
        self.kind = kind
        self.kernel_size = pair(kernel_size, "Pool2d", "kernel_size", 1)
        self.stride = self.kernel_size if stride is None else pair(stride, "Pool2d", "stride", 1)
        self.padding = padding
        self._frame = frame(padding, "Pool2d")
        if any(2 * p > k for p, k in zip(self._frame, self.kernel_size, strict=True)):
            raise ValueError(f"Pool2d: padding {self._frame} must be at most half of the window {self.kernel_size}")

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(OH, OW, channels)``; samples must be images that hold at least one window."""
        height, width, channels = image_shape(input_shape, self.title)
        rows, columns = output_sizes((height, width), self.kernel_size, self.stride, around(self._frame), (1, 1))
        check_fit(self.title, self.kernel_size, (height, width), (rows, columns))
        return rows, columns, channels

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Pool each window."""
        return _POOLS[self.kind](x, self.kernel_size, self.stride, self._frame)

    def describe(self) -> str:
        """Such as ``"max of 3 x 3, stride 2 x 2"``; the stride is left out where windows neither overlap nor gap."""
        stride = "" if self.stride == self.kernel_size else f"stride {by(self.stride)}"
        return phrase(f"{self.kind} of {by(self.kernel_size)}", stride)

    def see(self, field: Field) -> Field:
        """What the windows see."""
        return windows_see(field, self.kernel_size, self.stride, self._frame)

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output and of the padded input, and the window's geometry."""
        geometry = (*self.kernel_size, *self.stride)
        return (*super().extents(), padded_extent(self.input_shape, self._frame), *geometry)


class GlobalPool(Layer):
    """One number for each channel of an image: the average or the largest of its pixels.

    Parameters
    ----------
    kind : "average" or "max"
    """

    rank = 3
    family = "resampling"

    def __init__(self, kind: str = "average") -> None:
        one_of(kind, _GLOBAL, "GlobalPool", "kind")
        self.kind = kind

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The number of channels."""
        return image_shape(input_shape, self.title)[2]

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Pool each channel."""
        return _GLOBAL[self.kind](x)

    def describe(self) -> str:
        """Such as ``"the average of each map"``."""
        return f"the {self.kind} of each map"
