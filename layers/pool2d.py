"""Pool2d and GlobalPool: the largest, smallest or average pixel of each window, or of the whole image."""

from __future__ import annotations

from tensorgrad.checks import flag, one_of, pair
from tensorgrad.functional.padding import explicit
from tensorgrad.functional.pooling import POOLINGS, pool2d, pooling_frame
from tensorgrad.kernels.bound import Bound
from tensorgrad.kernels.lowering import NO_FRAME, Frame, output_sizes
from tensorgrad.layers.geometry import Padding, Size, check_fit, in_pixels, padded_extent, windows_see
from tensorgrad.layers.layer import Layer
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import Shape, by, image_shape, phrase
from tensorgrad.tensor import Array, Tensor


class Pool2d(Layer):
    """Shrink images: one pixel for each window, channel by channel.

    Parameters
    ----------
    kernel_size : int or pair
        The window.
    stride : int or pair, optional
        Pixels from one window to the next; by default the window's size. Windows may overlap, and rows and
        columns that fill no window are dropped.
    kind : "max", "min", "average" or another name from ``tensorgrad.functional.POOLINGS``
    padding : None, "valid", "zero", "same", "keep", int, pair or ((top, bottom), (left, right))
        Pixels around the image, fewer than the window has: None or "valid" for none, the tutorial's "zero" and "same"
        for one, "keep" for as many as give ``ceil(size / stride)`` pixels, or numbers. They never win a max or min,
        and an average does not count them.
    ceil_mode : bool
        Whether to add a last window for rows and columns that would be dropped, as PyTorch has it.

    Attributes
    ----------
    frame : ((top, bottom), (left, right))
        The padding in pixels, once the layer knows its input; with what ``ceil_mode`` adds.
    """

    rank = 3
    family = "resampling"
    changeable = ("kind",)

    def __init__(
        self,
        kernel_size: Size = (2, 2),
        stride: Size | None = None,
        kind: str = "max",
        padding: Padding = None,
        ceil_mode: bool = False,
    ) -> None:
        one_of(kind, POOLINGS, "Pool2d", "kind")
        self.kind = kind
        self.kernel_size = pair(kernel_size, "Pool2d", "kernel_size", 1)
        self.stride = self.kernel_size if stride is None else pair(stride, "Pool2d", "stride", 1)
        self.padding = padding
        self.ceil_mode = flag(ceil_mode, "Pool2d", "ceil_mode")
        given = explicit(in_pixels(padding, "Pool2d"), "Pool2d")
        self.frame: Frame = NO_FRAME
        if given is not None:
            self.frame = pooling_frame(given, "Pool2d", self.kernel_size, self.kernel_size, self.stride, False)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(OH, OW, channels)``; samples must be images that hold at least one window."""
        height, width, channels = image_shape(input_shape, self.title)
        padding, image = in_pixels(self.padding, self.title), (height, width)
        self.frame = pooling_frame(padding, self.title, image, self.kernel_size, self.stride, self.ceil_mode)
        rows, columns = output_sizes(image, self.kernel_size, self.stride, self.frame, (1, 1))
        check_fit(self.title, self.kernel_size, image, (rows, columns))
        return rows, columns, channels

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Pool each window."""
        if x.array.shape[1:] == self.input_shape:
            return POOLINGS[self.kind].windows(x, size=self.kernel_size, stride=self.stride, padding=self.frame)
        padding = in_pixels(self.padding, self.title)
        return pool2d(self.kind, x, self.kernel_size, self.stride, padding, self.ceil_mode)

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        kernel = POOLINGS[self.kind].bound
        if kernel is None:
            return super().bind(x)
        return kernel(x, size=self.kernel_size, stride=self.stride, padding=self.frame)

    def describe(self) -> str:
        """Such as ``"max of 3 x 3, stride 2 x 2"``; the stride is left out where windows neither overlap nor gap."""
        stride = "" if self.stride == self.kernel_size else f"stride {by(self.stride)}"
        return phrase(f"{self.kind} of {by(self.kernel_size)}", stride)

    def see(self, field: Field) -> Field:
        """What the windows see."""
        return windows_see(field, self.kernel_size, self.stride, self.frame)

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output and of the padded input, and the window's geometry."""
        geometry = (*self.kernel_size, *self.stride)
        return (*super().extents(), padded_extent(self.input_shape, self.frame), *geometry)


class GlobalPool(Layer):
    """One number for each channel of an image: the average or the largest of its pixels.

    Parameters
    ----------
    kind : "average", "max" or another name from ``tensorgrad.functional.POOLINGS`` whose record has a ``whole``
    """

    rank = 3
    family = "resampling"
    changeable = ("kind",)

    def __init__(self, kind: str = "average") -> None:
        one_of(kind, [name for name, pooling in POOLINGS.items() if pooling.whole], "GlobalPool", "kind")
        self.kind = kind

    def infer_shape(self, input_shape: Shape) -> Shape:
        """The number of channels."""
        return image_shape(input_shape, self.title)[2]

    def forward(self, x: Tensor, training: bool) -> Tensor:
        """Pool each channel."""
        whole = POOLINGS[self.kind].whole
        if whole is None:
            raise ValueError(f"{self.title}: the pooling {self.kind!r} has no form for whole images")
        return whole(x)

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        kernel, size = POOLINGS[self.kind].bound, x.shape[1:3]
        if kernel is None:
            return super().bind(x)
        y, steps = kernel(x, size=size, stride=size, padding=NO_FRAME)
        return y[:, 0, 0], steps

    def describe(self) -> str:
        """Such as ``"the average of each map"``."""
        return f"the {self.kind} of each map"
