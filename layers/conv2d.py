"""Conv2d: the convolutional layer."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from tensorgrad import functional
from tensorgrad.checks import pair
from tensorgrad.deprecation import level_outside
from tensorgrad.functional.padding import explicit, frame
from tensorgrad.functional.windows import convolve
from tensorgrad.initializers import Draw
from tensorgrad.kernels import bound
from tensorgrad.kernels.bound import Bound
from tensorgrad.kernels.lowering import NO_FRAME, Frame, output_sizes
from tensorgrad.layers.convolutional import Convolutional
from tensorgrad.layers.geometry import Padding, Size, check_fit, in_pixels, padded_extent, windows_see
from tensorgrad.layers.receptive_field import Field
from tensorgrad.layers.shapes import Shape, as_tuple, by, check_image_shape, image_shape
from tensorgrad.tensor import Array, Tensor, TensorLike


class Conv2d(Convolutional):
    """A convolutional layer: ``activation(conv2d(x, weights) + biases)``.

    Parameters
    ----------
    input_shape : (height, width, channels), optional
        Of one image; found out when the layer is added to a model.
    filters : int
        How many kernels, and so how many channels the output has.
    kernel_size : int or pair
        Rows and columns of a kernel, odd or even.
    isbias : bool
        Whether each filter has a bias.
    activation : str, optional
        A name from ``tensorgrad.functional.ACTIVATIONS``.
    stride : int or pair
        Pixels from one window to the next.
    padding : "zero", "same", "valid", "keep", None, int, pair or ((top, bottom), (left, right))
        "zero" frames the image with one pixel of zeros, "same" with one pixel that repeats the edge: the tutorial's
        meaning of both. "keep" is as many zeros as give ``ceil(size / stride)`` pixels for kernels of every size, with
        one more at the bottom and right where the number is odd: Keras's and PyTorch's "same". "valid" or None is no
        frame, and numbers are that many pixels of zeros.
    kernel : array_like, shape=(KH, KW, channels / groups, filters), optional
        The weights to start with, instead of random ones.
    bias : array_like, shape=(filters,), optional
        The biases to start with, instead of zeros.
    dilation : int or pair
        Pixels from one tap of the kernel to the next.
    groups : int
        Cut channels and filters into that many groups, each convolved on its own.
    initializer : str or callable, optional
        How weights and biases start: a name of ``tensorgrad.initializers.INITIALIZERS``, such as "he", "glorot" or
        "torch", or a function ``f(shape, rng)`` that returns the weights. Default: by the activation, see
        docs/initialization.md.

    Attributes
    ----------
    frame : ((top, bottom), (left, right))
        The padding in pixels, once the layer knows its input.

    Notes
    -----
    The output has ``floor((w - f + p) / s) + 1`` pixels along each axis, where p is the padding of both sides together
    (f is ``dilation (f - 1) + 1`` if dilated).
    """

    rank = 3
    kernel_size: tuple[int, int]
    stride: tuple[int, int]

    def __init__(
        self,
        input_shape: Shape | None = None,
        filters: int = 1,
        kernel_size: Size = (3, 3),
        isbias: bool = True,
        activation: str | None = None,
        stride: Size = (1, 1),
        padding: Padding = "zero",
        kernel: TensorLike | None = None,
        bias: TensorLike | None = None,
        dilation: Size = (1, 1),
        groups: int = 1,
        initializer: str | Draw | None = None,
    ) -> None:
        super().__init__(filters, groups, activation, isbias, kernel, bias, initializer)
        self.kernel_size = pair(kernel_size, "Conv2d", "kernel_size", 1)
        self.stride = pair(stride, "Conv2d", "stride", 1)
        self.dilation = pair(dilation, "Conv2d", "dilation", 1)
        self.padding = padding
        self.frame: Frame = explicit(in_pixels(padding, "Conv2d"), "Conv2d") or NO_FRAME
        if input_shape is not None:
            if isinstance(input_shape, int):
                meant = (
                    (input_shape, filters if filters > 1 else 3) if kernel_size == (3, 3) else (filters, kernel_size)
                )
                raise ValueError(
                    f"Conv2d: input_shape comes first and is (height, width, channels), received {input_shape}; for "
                    f"{meant[0]} filters write Conv2d(filters={meant[0]}, kernel_size={meant[1]})"
                )
            self.input_shape = check_image_shape(input_shape, "Conv2d")
            self.output_shape = self.infer_shape(self.input_shape)

    def weight_shape(self, input_shape: Shape) -> tuple[int, ...]:
        """``(KH, KW, channels / groups, filters)``."""
        return (*self.kernel_size, as_tuple(input_shape)[2] // self.groups, self.filters)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(OH, OW, filters)``; samples must be images that hold at least one window."""
        height, width, channels = image_shape(input_shape, self.title)
        self.check_channels(channels)
        image = height, width
        self.frame = frame(
            in_pixels(self.padding, self.title), self.title, image, self.kernel_size, self.stride, self.dilation
        )
        rows, columns = output_sizes(image, self.kernel_size, self.stride, self.frame, self.dilation)
        reach = tuple(d * (size - 1) + 1 for size, d in zip(self.kernel_size, self.dilation, strict=True))
        check_fit(self.title, (reach[0], reach[1]), image, (rows, columns))
        if self.padding == "same" and self.output_shape is None and self._weights is None:  # a new layer
            self._warn_of_another_size(image, (rows, columns))
        return rows, columns, self.filters

    def _warn_of_another_size(self, image: tuple[int, int], output: tuple[int, int]) -> None:
        kept = -(-image[0] // self.stride[0]), -(-image[1] // self.stride[1])
        if output != kept:
            warnings.warn(
                f"{self.title}: padding='same' is the tutorial's, one pixel whatever the kernel: kernels of "
                f"{by(self.kernel_size)} make {by(output)} pixels of {by(image)}; for {by(kept)} use padding='keep'",
                stacklevel=level_outside(),
            )

    def affine(self, x: Tensor, activation: str | None) -> Tensor:
        """Convolve, add the biases, and apply the activation."""
        repeats = self.padding == "same"
        geometry = self._geometry()
        if repeats:
            x = functional.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        if not repeats and self.was_checked_for(x):
            return convolve(x, self._weights, self._biases, activation=activation, **geometry)
        return functional.conv2d(x, self._weights, self._biases, activation=activation, **geometry)

    def _geometry(self) -> dict[str, Any]:
        """What the kernel needs beside arrays; the tutorial's padding has been put around the images before."""
        return {
            "stride": self.stride,
            "padding": NO_FRAME if self.padding == "same" else self.frame,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    def bind(self, x: Array) -> Bound:
        """Prepare to predict; see :meth:`Layer.bind`."""
        if self.padding == "same":
            return super().bind(x)
        return self.bind_kernel(x, partial(bound.conv2d, **self._geometry()))

    def see(self, field: Field) -> Field:
        """What the windows see: pixel i looks at the pixels ``i s + a d - p``, for a from 0 to the kernel's size."""
        return windows_see(field, self.kernel_size, self.stride, self.frame, self.dilation, self.padding == "same")

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output and of the padded input, and the window's geometry."""
        geometry = (*self.kernel_size, *self.stride, *self.dilation)
        return (*super().extents(), padded_extent(self.input_shape, self.frame), *geometry)
