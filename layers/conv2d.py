"""Conv2d: the convolutional layer."""

from __future__ import annotations

from typing import Literal

from tensorgrad import functional
from tensorgrad.checks import pair, whole
from tensorgrad.kernels.lowering import around, output_sizes
from tensorgrad.layers.layer import Shape, as_tuple, by, check_shape, image_shape, phrase
from tensorgrad.layers.receptive_field import Field
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
    family = "convolution"

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
        rows, columns = output_sizes((height, width), self.kernel_size, self.stride, around(self._frame), self.dilation)
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

    def describe(self) -> str:
        """Such as ``"8 filters of 3 x 3, stride 2 x 2, relu"``; a stride of 1 is left out."""
        stride = "" if self.stride == (1, 1) else f"stride {by(self.stride)}"
        return phrase(f"{self.filters} filters of {by(self.kernel_size)}", stride, self.activation)

    def see(self, field: Field) -> Field:
        """What the windows see: pixel i looks at the pixels ``i s + a d - p``, for a from 0 to the kernel's size."""
        return windows_see(field, self.kernel_size, self.stride, self._frame, self.dilation, self.padding == "same")

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output and of the padded input, and the window's geometry."""
        geometry = (*self.kernel_size, *self.stride, *self.dilation)
        return (*super().extents(), padded_extent(self.input_shape, self._frame), *geometry)


def frame(padding: Padding, owner: str) -> tuple[int, int]:
    """How many pixels a padding puts on both sides: (rows, columns)."""
    if padding is None:
        return 0, 0
    if isinstance(padding, str):
        if padding not in ("zero", "same"):
            raise ValueError(f"{owner}: unknown padding {padding!r}; known are 'zero', 'same', None, an int or a pair")
        return 1, 1
    return pair(padding, owner, "padding", 0)


def windows_see(
    field: Field,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
    repeat_edge: bool = False,
) -> Field:
    """What sliding windows see, given what the pixels see that they slide over."""
    axes = zip((field.rows, field.columns), size, stride, padding, dilation, strict=True)
    return Field(*(span.windows(n, s, (p, p), d, repeat_edge) for span, n, s, p, d in axes))


def padded_extent(shape: Shape | None, padding: tuple[int, int]) -> int:
    """How many numbers a padded image has; of a layer that does not know its image, the padding's larger side."""
    image = as_tuple(shape or 1)
    if len(image) != 3:
        return max(padding)
    return (image[0] + 2 * padding[0]) * (image[1] + 2 * padding[1]) * image[2]


def check_fit(title: str, size: tuple[int, int], image: tuple[int, int], output: tuple[int, int]) -> None:
    """Raise unless at least one window fits."""
    if min(output) < 1:
        raise ValueError(
            f"{title}: a {size[0]}x{size[1]} window does not fit the {image[0]}x{image[1]} input that it receives; "
            "use a smaller kernel or stride, more padding, or fewer layers before it that shrink the image"
        )
