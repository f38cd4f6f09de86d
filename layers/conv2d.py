"""Conv2d: the convolutional layer."""

from __future__ import annotations

from typing import Literal

from tensorgrad import functional
from tensorgrad.checks import pair, whole
from tensorgrad.kernels.lowering import output_sizes
from tensorgrad.layers.layer import Shape, as_tuple, check_shape, image_shape
from tensorgrad.layers.weighted import Weighted
from tensorgrad.tensor import Tensor, TensorLike

Size = int | tuple[int, int]
Padding = Literal["zero", "same"] | Size | None


class Conv2d(Weighted):
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
    padding : "zero", "same", None, int or pair
        "zero" frames the image with one pixel of zeros, "same" with one pixel that repeats the edge: the text's
        meaning of both. None does not frame it; an int or a pair (rows, columns) is that many pixels of zeros.
    kernel : array_like, shape=(KH, KW, channels / groups, filters), optional
        The weights to start with, instead of random ones.
    bias : array_like, shape=(filters,), optional
        The biases to start with, instead of zeros.
    dilation : int or pair
        Pixels from one tap of the kernel to the next.
    groups : int
        Cut channels and filters into that many groups, each convolved on its own.

    Notes
    -----
    The output has ``floor((w - f + 2 p) / s) + 1`` pixels along each axis (f is ``dilation (f - 1) + 1`` if dilated).
    """

    rank = 3

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
    ) -> None:
        super().__init__(activation, isbias, kernel, bias)
        self.filters = whole(filters, "Conv2d", "filters")
        self.groups = whole(groups, "Conv2d", "groups")
        if self.filters % self.groups:
            raise ValueError(f"Conv2d: groups must divide the {filters} filters, received {groups!r}")
        self.kernel_size = pair(kernel_size, "Conv2d", "kernel_size", 1)
        self.stride = pair(stride, "Conv2d", "stride", 1)
        self.dilation = pair(dilation, "Conv2d", "dilation", 1)
        self.padding = padding
        self._frame = frame(padding, "Conv2d")
        if input_shape is not None:
            self.input_shape = check_shape(input_shape, "Conv2d")
            self.output_shape = self.infer_shape(self.input_shape)

    def weight_shape(self, input_shape: Shape) -> tuple[int, ...]:
        """``(KH, KW, channels / groups, filters)``."""
        return (*self.kernel_size, as_tuple(input_shape)[2] // self.groups, self.filters)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(OH, OW, filters)``; samples must be images that hold at least one window."""
        height, width, channels = image_shape(input_shape, self.title)
        if channels % self.groups:
            raise ValueError(f"{self.title}: groups={self.groups} must divide the {channels} channels of its input")
        rows, columns = output_sizes((height, width), self.kernel_size, self.stride, self._frame, self.dilation)
        tall, wide = (d * (size - 1) + 1 for size, d in zip(self.kernel_size, self.dilation, strict=True))
        check_fit(self.title, (tall, wide), (height, width), (rows, columns))
        return rows, columns, self.filters

    def affine(self, x: Tensor, activation: str | None) -> Tensor:
        """Convolve, add the biases, and apply the activation."""
        padding = self._frame
        if self.padding == "same":
            x = functional.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
            padding = (0, 0)
        return functional.conv2d(
            x,
            self._weights,
            self._biases,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
            activation=activation,
        )


def frame(padding: Padding, owner: str) -> tuple[int, int]:
    """How many pixels a padding puts on both sides: (rows, columns)."""
    if padding is None:
        return 0, 0
    if isinstance(padding, str):
        if padding not in ("zero", "same"):
            raise ValueError(f"{owner}: unknown padding {padding!r}; known are 'zero', 'same', None, an int or a pair")
        return 1, 1
    return pair(padding, owner, "padding", 0)


def check_fit(title: str, size: tuple[int, int], image: tuple[int, int], output: tuple[int, int]) -> None:
    """Raise unless at least one window fits."""
    if min(output) < 1:
        raise ValueError(
            f"{title}: a {size[0]}x{size[1]} window does not fit the {image[0]}x{image[1]} input that it receives; "
            "use a smaller kernel or stride, more padding, or fewer layers before it that shrink the image"
        )
