"""ConvTranspose2d: a convolution backwards, which enlarges images."""

from __future__ import annotations

from tensorgrad import functional
from tensorgrad.checks import pair
from tensorgrad.functional.padding import Padding, explicit
from tensorgrad.functional.windows import transposed_sizes
from tensorgrad.initializers import Draw
from tensorgrad.kernels.lowering import Frame
from tensorgrad.layers.convolutional import Convolutional
from tensorgrad.layers.geometry import Size
from tensorgrad.layers.shapes import Shape, as_tuple, check_image_shape, image_shape
from tensorgrad.tensor import Tensor, TensorLike


class ConvTranspose2d(Convolutional):
    """The transpose of a convolution: each pixel adds a kernel, times its value, to a window of the output.

    Parameters
    ----------
    input_shape : (height, width, channels), optional
        Of one image; found out when the layer is added to a model.
    filters : int
        How many channels the output has.
    kernel_size : int or pair
        Rows and columns of a kernel.
    isbias : bool
        Whether each filter has a bias.
    activation : str, optional
        A name from ``tensorgrad.functional.ACTIVATIONS``.
    stride : int or pair
        Pixels of the output from one window to the next: by how much the image grows.
    padding : None, "valid", "keep", int, pair or ((top, bottom), (left, right))
        Pixels that are cut off the output: those that frame it for the convolution that this is the transpose of.
        "keep" makes the output exactly ``stride`` times as large as the input.
    output_padding : int or pair
        Rows and columns to add at the bottom and right, less than the stride or the dilation.
    kernel : array_like, shape=(KH, KW, filters / groups, channels), optional
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

    Notes
    -----
    The output has ``(w - 1) s - p + f + output_padding`` pixels along each axis, where p is the padding of both sides
    together and f is ``dilation (kernel_size - 1) + 1``.
    """

    rank = 3
    frame: Frame
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
        padding: Padding = None,
        output_padding: Size = 0,
        kernel: TensorLike | None = None,
        bias: TensorLike | None = None,
        dilation: Size = (1, 1),
        groups: int = 1,
        initializer: str | Draw | None = None,
    ) -> None:
        super().__init__(filters, groups, activation, isbias, kernel, bias, initializer)
        self.kernel_size = pair(kernel_size, "ConvTranspose2d", "kernel_size", 1)
        self.stride = pair(stride, "ConvTranspose2d", "stride", 1)
        self.dilation = pair(dilation, "ConvTranspose2d", "dilation", 1)
        self.output_padding = pair(output_padding, "ConvTranspose2d", "output_padding", 0)
        explicit(padding, "ConvTranspose2d")
        self.padding = padding
        if input_shape is not None:
            self.input_shape = check_image_shape(input_shape, "ConvTranspose2d")
            self.output_shape = self.infer_shape(self.input_shape)

    def weight_shape(self, input_shape: Shape) -> tuple[int, ...]:
        """``(KH, KW, filters / groups, channels)``, as of the convolution that this is the transpose of."""
        return (*self.kernel_size, self.filters // self.groups, as_tuple(input_shape)[2])

    def units(self, weight_shape: tuple[int, ...]) -> int:
        """The number of filters, which is not the last axis here."""
        return self.filters

    def initializer_shape(self, weight_shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape for a convolution from these channels to these filters."""
        *size, filters, channels = weight_shape
        return (*size, channels // self.groups, filters * self.groups)

    def infer_shape(self, input_shape: Shape) -> Shape:
        """``(OH, OW, filters)``; samples must be images."""
        height, width, channels = image_shape(input_shape, self.title)
        self.check_channels(channels)
        image, size = (height, width), self.kernel_size
        (rows, columns), self.frame, _ = transposed_sizes(
            self.title, image, size, self.stride, self.padding, self.dilation, self.output_padding
        )
        return rows, columns, self.filters

    def affine(self, x: Tensor, activation: str | None) -> Tensor:
        """Apply the transposed convolution, add the biases, and apply the activation."""
        y = functional.conv_transpose2d(
            x,
            self._weights,
            self._biases,
            stride=self.stride,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y if activation is None else functional.ACTIVATIONS[activation].function(y)

    def extents(self) -> tuple[int, ...]:
        """The numbers of the output, and the window's geometry."""
        return (*super().extents(), *self.kernel_size, *self.stride, *self.dilation)
